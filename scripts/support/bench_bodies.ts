/** What the origin of the benchmarks serves, and how to tell its bodies from others. */

/** Bodies of files repeat these 32 bytes, so that a client can check any piece of one. */
export const PATTERN = "0123456789abcdefghijklmnopqrstu\n";
export const UPLOAD_BYTES = 1024 * 1024;
export const SMALL_BODY = "ok\n";
/** What programs answer that have no origin behind them. */
export const HELLO_BODY = "hello world\n";
export type OriginPath = "/small" | "/hello" | "/kib" | "/64k" | "/1m" | "/8m" | "/upload";

/** Bytes of the body of the answer; of an upload's, the count of the bytes received as text. */
export const BODY_BYTES: Readonly<Record<OriginPath, number>> = {
  "/small": SMALL_BODY.length,
  "/hello": HELLO_BODY.length,
  "/kib": 1024,
  "/64k": 64 * 1024,
  "/1m": 1024 * 1024,
  "/8m": 8 * 1024 * 1024,
  "/upload": String(UPLOAD_BYTES).length + 1,
};

/** Whether `body` is what the origin gives for `path`. */
export function isBodyOf(path: OriginPath, body: string): boolean {
  if (path === "/small") return body === SMALL_BODY;
  if (path === "/hello") return body === HELLO_BODY;
  // What nginx counts includes the request's head, whose length is the proxy's business.
  if (path === "/upload") return Number(body) > UPLOAD_BYTES && Number(body) < UPLOAD_BYTES + 4096;
  return body === PATTERN.repeat(BODY_BYTES[path] / PATTERN.length);
}
