// Server-sent events: pieces are asked for while the client takes them, and no more once it has left.
import { setTimeout as sleep } from "node:timers/promises";
import { type OnRequest, respond } from "sluice";

async function* ticks(signal: AbortSignal) {
  for (let tick = 0; !signal.aborted; tick++) {
    yield `data: ${tick}\n\n`;
    await sleep(100);
  }
}

export const onRequest: OnRequest = (request) =>
  request.path === "/events"
    ? respond(200, ticks(request.signal), { "Content-Type": "text/event-stream" })
    : undefined;
