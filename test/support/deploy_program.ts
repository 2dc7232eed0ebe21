/**
 * The application of the deployment test: `PORT=… deploy_program.ts VERSION`. Answers GET with its version and POST
 * with what it received, echoes on WebSockets, is healthy half a second after its start, and ends gracefully.
 */

import { createHash } from "node:crypto";
import { createServer } from "node:http";
import process from "node:process";
import { WebSocketServer } from "ws";

const WARM_UP_MS = 500;
const version = process.argv[2] ?? "";
const began = Date.now();

const server = createServer((request, response) => {
  if (request.url === "/up") {
    response.writeHead(Date.now() - began < WARM_UP_MS ? 503 : 200).end();
    return;
  }
  const hash = createHash("sha256");
  request.on("data", (bytes) => hash.update(bytes));
  request.on("end", () => {
    response.end(request.method === "POST" ? hash.digest("hex") : `version ${version}`);
  });
});
const sockets = new WebSocketServer({ server });
sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data, { binary: false })));
server.listen({ port: Number(process.env["PORT"]), host: "127.0.0.1" });
process.on("SIGTERM", () => server.close(() => process.exit(0)));
