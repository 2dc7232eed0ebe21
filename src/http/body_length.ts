/** How much body a message has, as far as its head tells. */

/** Bytes, 0 to 2^53 - 1; or one of the two constants below. */
export type BodyLength = number;

/**
 * The body ends where its stream does: HTTP/1 delimits it by chunks or by the end of the connection, HTTP/2 by
 * END_STREAM.
 */
export const UNKNOWN_LENGTH = -1;

/**
 * There is none: a request that announces none, an answer to HEAD, 204, 304. Not the same as 0 bytes, which is
 * announced to the recipient.
 */
export const NO_BODY = -2;
