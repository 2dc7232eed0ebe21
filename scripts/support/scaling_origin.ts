/**
 * The origin of the scaling measurements: answers `/N` with N bytes once it has read the request's body, and
 * keeps its connections. Runs in the measuring process, on loopback or a Unix socket.
 */

import { createServer, type Server, type Socket } from "node:net";

const END_OF_HEAD = Buffer.from("\r\n\r\n");

function serve(socket: Socket): void {
  let head = "";
  /** Bytes of the present request's body that are still to come. */
  let body = 0;
  let answer = 0;
  socket.setNoDelay(true);
  socket.on("error", () => {});
  socket.on("data", (bytes: Buffer) => {
    let at = 0;
    while (at < bytes.length) {
      if (body > 0) {
        const taken = Math.min(body, bytes.length - at);
        body -= taken;
        at += taken;
        if (body > 0) return;
        socket.write(answerOf(answer));
        continue;
      }
      // A head may come in pieces, and its end, too.
      const before = head.length;
      head += bytes.toString("latin1", at);
      const end = head.indexOf("\r\n\r\n", Math.max(0, before - END_OF_HEAD.length));
      if (end < 0) return;
      at += end + END_OF_HEAD.length - before;
      const text = head.slice(0, end + 2);
      head = "";
      answer = Number(/^\S+ \/(\d+)/.exec(text)?.[1] ?? 0);
      body = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
      if (body === 0) socket.write(answerOf(answer));
    }
  });
}

const answers = new Map<number, Buffer>();

function answerOf(size: number): Buffer {
  let answer = answers.get(size);
  if (answer === undefined) {
    answer = Buffer.from(
      `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\nConnection: keep-alive\r\n\r\n` + "x".repeat(size),
    );
    answers.set(size, answer);
  }
  return answer;
}

/** @param where port on 127.0.0.1, or path of a Unix socket */
export function startOrigin(where: number | string): Promise<Server> {
  const server = createServer(serve);
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    const listening = (): void => resolve(server);
    if (typeof where === "string") server.listen({ path: where, backlog: 4096 }, listening);
    else server.listen({ port: where, host: "127.0.0.1", backlog: 4096 }, listening);
  });
}
