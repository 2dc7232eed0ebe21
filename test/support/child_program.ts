/**
 * A backend for tests of commands that Sluice runs, with node:http on the runtime that runs the test. Its port is
 * the first argument or PORT. It answers with its process id; `/exit/N` ends it with code N after the answer,
 * `/slow` answers when `/go` was asked for. SIGTERM ends it in order with code 0; with `stubborn` as second argument it ignores that.
 */

import { createServer, type ServerResponse } from "node:http";
import process from "node:process";

const port = Number(process.argv[2] ?? process.env["PORT"]);
const slow: ServerResponse[] = [];

const server = createServer((request, response) => {
  const url = request.url ?? "";
  request.resume();
  request.on("end", () => {
    if (url === "/slow") {
      slow.push(response);
      console.log("slow");
      return;
    }
    if (url === "/go") {
      for (const waiting of slow.splice(0)) waiting.end(String(process.pid));
    }
    const exit = /^\/exit\/(\d+)$/.exec(url);
    if (exit !== null) response.setHeader("Connection", "close");
    response.end(String(process.pid), () => {
      if (exit !== null) process.exit(Number(exit[1]));
    });
  });
});

process.on("SIGTERM", () => {
  console.log("told to end");
  if (process.argv[3] === "stubborn") return;
  server.close(() => process.exit(0));
  server.closeIdleConnections?.();
});
process.on("SIGHUP", () => console.log("hung up"));
server.on("error", (error: Error) => {
  console.error(error.message);
  process.exit(98);
});
server.listen(port, "127.0.0.1", () => console.log(`listening as ${process.pid}`));
