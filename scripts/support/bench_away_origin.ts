/**
 * A program: an origin that serves one connection at a time and leaves after each. It takes a connection,
 * closes its listening socket, answers the one request, and listens again after a pause.
 *
 *     node scripts/support/bench_away_origin.ts PORT PAUSE_MS
 */

import { createServer, type Socket } from "node:net";

const port = Number(process.argv[2]);
const pauseMs = Number(process.argv[3]);
const answer =
  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

function serve(client: Socket): void {
  let received = "";
  client.setEncoding("latin1");
  client.on("error", () => {}); // it left: nothing to be done
  client.on("data", (text: string) => {
    received += text;
    if (received.includes("\r\n\r\n")) client.end(answer);
  });
}

function listen(): void {
  const server = createServer();
  // The port is still taken: the listener before has not quite gone.
  server.on("error", () => setTimeout(listen, 2));
  server.once("connection", (client) => {
    server.close();
    serve(client);
    setTimeout(listen, pauseMs);
  });
  server.listen({ port, host: "127.0.0.1", backlog: 512 });
}

listen();
