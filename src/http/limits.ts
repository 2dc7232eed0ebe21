/** How much of everything a peer may send in one HTTP/1 message before we refuse it. */

export interface Http1Limits {
  /** Start line, field lines and both empty lines around them, in bytes. */
  readonly maxHeadBytes: number;
  /** Method of a request, in bytes. No registered one has more than 20. */
  readonly maxMethodBytes: number;
  /** Request target, in bytes. */
  readonly maxTargetBytes: number;
  /** Field lines of a header section, and again of a trailer section. */
  readonly maxFields: number;
  /** Empty lines ignored before a start line (RFC 9112 §2.2 asks for one). */
  readonly maxEmptyLines: number;
  /** Chunk extensions of one chunk, from the first byte after the size, in bytes. */
  readonly maxChunkLineBytes: number;
  /** Chunk extensions of all chunks of a message together, in bytes (compare CVE-2023-39326). */
  readonly maxChunkExtensionBytes: number;
  /** Trailer section with its final empty line, in bytes. */
  readonly maxTrailerBytes: number;
  /**
   * Responses only: read a bare LF as a line end, drop whitespace before a colon and unfold obs-fold
   * (RFC 9112 §2.2, §5.1, §5.2 allow a recipient to), take repeated equal lengths for one (RFC 9110 §8.6), and
   * `chunked, chunked` for `chunked` (§6.1 forbids to encode twice, and no sender does). The head is rewritten clean
   * before it is parsed.
   */
  readonly lenientResponses: boolean;
  /**
   * Requests only: bytes above 0x7F in a target are read as their escapes, `%C3` for 0xC3. Browsers and RFC 3986 want
   * them escaped, and a target that holds them unescaped is refused otherwise. `maxTargetBytes` counts escapes.
   */
  readonly lenientTargets: boolean;
}

/**
 * Other servers: nginx takes 4 lines of 8 KiB and 1000 fields, Varnish 64 fields, Squid 64 KiB,
 * Apache 100 fields of 8190 bytes.
 */
export const DEFAULT_LIMITS: Http1Limits = Object.freeze({
  maxHeadBytes: 32_768,
  maxMethodBytes: 64,
  maxTargetBytes: 8_192,
  maxFields: 100,
  maxEmptyLines: 2,
  maxChunkLineBytes: 256,
  maxChunkExtensionBytes: 16_384,
  maxTrailerBytes: 8_192,
  lenientResponses: false,
  lenientTargets: false,
});
