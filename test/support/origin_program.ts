/**
 * A backend as a process of its own, to be killed: `origin_program.ts PORT`. Prints its port when it
 * listens; answers with `expectedAnswer` after a few milliseconds; keeps connections open.
 */

import { createServer } from "node:net";
import process from "node:process";
import { expectedAnswer } from "./away_backend.ts";
import { Peer } from "./scripted_origin.ts";

const WORK_MS = 3;
let port = Number(process.argv[2] ?? 0);

const server = createServer({ allowHalfOpen: true }, (socket) => {
  const peer = new Peer(socket, 0);
  peer.inbox.watchdogMs = Infinity;
  peer.record = false;
  void (async () => {
    for (;;) {
      const { method, target, body } = await peer.readRequest();
      await new Promise((resolve) => setTimeout(resolve, WORK_MS));
      await peer.respond({ body: expectedAnswer(method, target, body) });
    }
  })().catch(() => peer.destroy());
});
server.on("error", () => setTimeout(listen, 5));
server.on("listening", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") port = address.port;
  console.log(port);
});

function listen(): void {
  server.listen({ port, host: "127.0.0.1" });
}

listen();
