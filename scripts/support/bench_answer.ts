/** One request and its answer, read to the last byte: the tools only count, here bodies are looked at. */

import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { isBodyOf, type OriginPath, UPLOAD_BYTES } from "./bench_bodies.ts";
import { type Running, sleep } from "./bench_workspace.ts";

const ANSWER_MS = 10_000;
const START_MS = 15_000;

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Bytes of the whole answer, head included. */
  readonly wireBytes: number;
}

export interface Asking {
  /** Lines like "Connection: close". */
  readonly fields?: readonly string[];
  /** PEM of the certificate that the server has to show, by TLS 1.3; null or absent = without TLS. */
  readonly certificate?: string | null;
}

/**
 * Sends one request and reads its answer, which must say how long it is.
 *
 * @param path or a URL, for a forward proxy
 */
export function ask(port: number, path: string, asking: Asking = {}): Promise<Answer> {
  const { fields = [], certificate = null } = asking;
  const upload = path === "/upload";
  const host = path.startsWith("/") ? `127.0.0.1:${port}` : new URL(path).host;
  const lines = [`${upload ? "POST" : "GET"} ${path} HTTP/1.1`, `Host: ${host}`, ...fields];
  if (upload) lines.push(`Content-Length: ${UPLOAD_BYTES}`);
  return new Promise((resolve, reject) => {
    const socket = certificate === null ? connect({ port, host: "127.0.0.1" }) : connectTls({
      port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: certificate,
      minVersion: "TLSv1.3",
    });
    const pieces: string[] = [];
    let bytes = 0;
    let head: { status: number; bytes: number; bodyBytes: number } | null = null;
    const fail = (why: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(why));
    };
    const timer = setTimeout(() => fail(`no complete answer in ${ANSWER_MS / 1000} s`), ANSWER_MS);
    socket.setEncoding("latin1");
    socket.on(
      certificate === null ? "connect" : "secureConnect",
      () => socket.write(lines.join("\r\n") + "\r\n\r\n" + (upload ? "x".repeat(UPLOAD_BYTES) : "")),
    );
    socket.on("data", (text: string) => {
      pieces.push(text);
      bytes += text.length;
      if (head === null) head = readHead(pieces.join(""));
      if (head !== null && Number.isNaN(head.bodyBytes)) fail("an answer that does not say how long it is");
      if (head === null || bytes < head.bytes + head.bodyBytes) return;
      clearTimeout(timer);
      socket.destroy();
      resolve({ status: head.status, body: pieces.join("").slice(head.bytes), wireBytes: bytes });
    });
    socket.on("error", (error) => fail(error.message));
    socket.on("close", () => fail("closed before the answer was complete"));
  });
}

function readHead(text: string): { status: number; bytes: number; bodyBytes: number } | null {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const head = text.slice(0, end + 2);
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]);
  const length = /\r\ncontent-length:\s*(\d+)\s*\r\n/i.exec(head)?.[1];
  return { status, bytes: end + 4, bodyBytes: Number(length ?? NaN) };
}

/** An answer of the origin's, judged. @param base see `WrkOptions.base` @throws when it is not what the origin gives */
export async function answerOf(
  port: number,
  path: OriginPath,
  asking: Asking & { readonly base?: string } = {},
): Promise<Answer> {
  const answer = await ask(port, (asking.base ?? "") + path, asking);
  if (answer.status !== 200) throw new Error(`${path}: status ${answer.status}`);
  if (!isBodyOf(path, answer.body)) throw new Error(`${path}: a body of ${answer.body.length} wrong bytes`);
  return answer;
}

/**
 * Waits until whoever has been started answers.
 *
 * @param certificate see `Asking.certificate`
 * @throws with the end of its log when it does not
 */
export async function until200(
  port: number,
  path: string,
  running: Running,
  certificate: string | null = null,
): Promise<void> {
  const asking = { fields: ["Connection: close"], certificate };
  const until = performance.now() + START_MS;
  while (running.alive && performance.now() < until) {
    const status = await ask(port, path, asking).then((answer) => answer.status, () => 0);
    if (status === 200) return;
    await sleep(20);
  }
  const log = readFileSync(running.logFile, "latin1").trim().slice(-600);
  throw new Error(`${running.alive ? "does not answer" : "has ended"}${log === "" ? "" : `: ${log}`}`);
}
