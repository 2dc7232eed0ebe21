/** Why a message is refused. A fault is a value, never thrown: a peer's mistake is not our error. */

/**
 * - `bad_request`: the bytes of a message do not follow the grammar (also used for responses, where
 *   the side that reads them decides what to answer)
 * - `bad_response`: a status line that is none
 * - `bad_host`: the host of a request is missing, ambiguous or malformed
 * - `bad_framing`: where the body ends is unclear, so what follows it cannot be told apart from it
 * - `bad_chunk`: the chunked coding is broken
 * - `incomplete_message`: the peer ended in the middle of a message
 * - the others say themselves what is wrong
 */
export type FaultCode =
  | "bad_request"
  | "bad_response"
  | "bad_host"
  | "bad_framing"
  | "bad_chunk"
  | "chunk_extension_too_large"
  | "method_too_long"
  | "target_too_long"
  | "head_too_large"
  | "too_many_fields"
  | "trailers_too_large"
  | "unsupported_version"
  | "unsupported_transfer_coding"
  | "body_too_large"
  | "expectation_failed"
  | "request_timeout"
  | "incomplete_message";

export interface Fault {
  readonly kind: "fault";
  readonly code: FaultCode;
  /** Status that answers a request with this fault; a response with one is a 502 to our client. */
  readonly status: number;
  /** A short sentence in plain words, without bytes of the peer: safe to show and to log. */
  readonly detail: string;
}

const STATUS = {
  bad_request: 400,
  bad_response: 502,
  bad_host: 400,
  bad_framing: 400,
  bad_chunk: 400,
  chunk_extension_too_large: 413,
  method_too_long: 501,
  target_too_long: 414,
  head_too_large: 431,
  too_many_fields: 431,
  trailers_too_large: 431,
  unsupported_version: 505,
  unsupported_transfer_coding: 501,
  body_too_large: 413,
  expectation_failed: 417,
  request_timeout: 408,
  incomplete_message: 400,
} as const satisfies Record<FaultCode, number>;

function fault(code: FaultCode, detail: string): Fault {
  return Object.freeze({ kind: "fault", code, status: STATUS[code], detail });
}

/** One constant per distinct reason, so that a fault costs no allocation and compares with `===`. */
export const FAULTS = Object.freeze({
  // Lines
  bareCr: fault("bad_request", "A carriage return stands without a line feed."),
  bareLf: fault("bad_request", "A line ends in a line feed without a carriage return."),
  emptyLines: fault("bad_request", "There are too many empty lines before the message."),
  headTooLarge: fault("head_too_large", "The head of the message is too large."),
  // Request line
  method: fault("bad_request", "The method is not a token followed by one space."),
  methodTooLong: fault("method_too_long", "The method is too long."),
  target: fault("bad_request", "The request target is missing or holds a character that is not allowed."),
  targetTooLong: fault("target_too_long", "The request target is too long."),
  version: fault("bad_request", "The request line does not end in an HTTP version."),
  unsupportedVersion: fault("unsupported_version", "Only HTTP/1.0 and HTTP/1.1 are spoken here."),
  // Status line
  statusLine: fault("bad_response", "The status line does not begin with an HTTP version and a status code."),
  statusCode: fault("bad_response", "The status code is not a number from 100 to 599."),
  reason: fault("bad_response", "The reason phrase holds a control character."),
  // Field lines
  leadingWhitespace: fault("bad_request", "A line begins with whitespace (line folding is not accepted)."),
  noColon: fault("bad_request", "A field line has no colon."),
  emptyName: fault("bad_request", "A field has no name."),
  nameCharacter: fault("bad_request", "A field name holds a character that is not allowed."),
  spaceBeforeColon: fault("bad_request", "There is whitespace between a field name and its colon."),
  valueCharacter: fault("bad_request", "A field value holds a control character."),
  tooManyFields: fault("too_many_fields", "The message has too many fields."),
  // Target and host
  targetForm: fault("bad_request", "The form of the request target does not fit the method."),
  targetAuthority: fault(
    "bad_host",
    "The authority in the request target is not a host with an optional port.",
  ),
  connectAuthority: fault("bad_host", "CONNECT needs a host and a port."),
  noHost: fault("bad_host", "An HTTP/1.1 request needs a Host field."),
  manyHosts: fault("bad_host", "The request has more than one Host field."),
  hostValue: fault("bad_host", "The Host field is not a host with an optional port."),
  // Framing
  lengthAndCoding: fault("bad_framing", "Both Content-Length and Transfer-Encoding are present."),
  manyLengths: fault("bad_framing", "There is more than one Content-Length."),
  lengthValue: fault("bad_framing", "The Content-Length is not a plain decimal number."),
  lengthTooLarge: fault("body_too_large", "The Content-Length is larger than can be handled."),
  codingInOldVersion: fault("bad_framing", "Transfer-Encoding does not exist in HTTP/1.0."),
  manyCodings: fault("bad_framing", "There is more than one Transfer-Encoding field."),
  codingValue: fault(
    "bad_framing",
    "The Transfer-Encoding is malformed, or chunked is not its one last coding.",
  ),
  unknownCoding: fault("unsupported_transfer_coding", "The only transfer coding understood is chunked."),
  nominatedFraming: fault("bad_framing", "Connection names a field that framing or routing relies on."),
  connectionValue: fault("bad_request", "The Connection field is not a list of tokens."),
  contentNotAllowed: fault("bad_framing", "A request with this method cannot have content."),
  // Other request fields
  expectation: fault("expectation_failed", "The only expectation understood is 100-continue."),
  maxForwards: fault("bad_request", "The Max-Forwards field is not a number."),
  // Chunked coding
  chunkSize: fault("bad_chunk", "A chunk size is not a plain hexadecimal number."),
  chunkTooLarge: fault("bad_chunk", "A chunk size is larger than can be handled."),
  chunkExtension: fault("bad_chunk", "A chunk extension is malformed."),
  chunkExtensionTooLarge: fault("chunk_extension_too_large", "The chunk extensions are too large."),
  chunkLineEnd: fault("bad_chunk", "A chunk line does not end in CR LF."),
  chunkDataEnd: fault("bad_chunk", "The data of a chunk is not followed by CR LF."),
  trailersTooLarge: fault("trailers_too_large", "The trailer section is too large."),
  tooManyInterims: fault("bad_response", "There are too many interim responses."),
  // Time and end of input
  requestTimeout: fault("request_timeout", "The head of the request did not arrive in time."),
  incomplete: fault("incomplete_message", "The connection ended in the middle of a message."),
});
