/**
 * The application of the soak test: `soak_backend_program.ts PORT JOURNAL LIMIT`. Writes into the journal which POST
 * requests have arrived whole (`POST id`), and whenever more requests than LIMIT are in flight (`OVER n`). The journal
 * survives the process, which is killed now and then.
 */

import { createHash } from "node:crypto";
import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http";
import process from "node:process";
import { WebSocketServer } from "ws";
import { largeText, STREAM_CHUNKS, streamChunk } from "./soak_words.ts";

const CHUNK_PAUSE_MS = 25;
const [port = "", journal = "", limit = ""] = process.argv.slice(2);
const file = openSync(journal, "a");
let inFlight = 0;

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  if (++inFlight > Number(limit)) writeSync(file, `OVER ${inFlight}\n`);
  response.on("close", () => inFlight--);
  const id = (request.url ?? "").split("/").at(-1) ?? "";
  const hash = createHash("sha256");
  request.on("data", (bytes) => hash.update(bytes));
  request.on("error", () => {});
  request.on("end", () => {
    if (request.method === "POST") {
      writeSync(file, `POST ${id}\n`);
      response.end(hash.digest("hex"));
    } else if (request.url?.startsWith("/large/")) {
      response.end(largeText(id));
    } else if (request.url?.startsWith("/stream/")) {
      stream(id, (text) => response.write(text), () => response.end());
    } else {
      response.end(`got ${id}`);
    }
  });
});
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data, { binary: false })));
server.listen(Number(port), "127.0.0.1");

function stream(id: string, write: (text: string) => void, end: () => void): void {
  let sent = 0;
  const timer = setInterval(() => {
    if (sent < STREAM_CHUNKS) return write(streamChunk(id, sent++));
    clearInterval(timer);
    end();
  }, CHUNK_PAUSE_MS);
}
