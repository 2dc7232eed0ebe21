/** Bodies piece by piece, in both directions: no more is read than the other side takes. */

import { type HttpRequest, router, serve } from "sluice";

/** What the client sends comes back in upper case while it is still being sent. */
async function* shouted({ body }: HttpRequest): AsyncGenerator<Uint8Array> {
  for await (const piece of body) {
    yield piece.map((byte) => byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte);
  }
}

/** Server-sent events, until the client leaves. */
async function* ticks({ signal }: HttpRequest): AsyncGenerator<string> {
  for (let count = 1; !signal.aborted; count++) {
    yield `data: ${count}\n\n`;
    await new Promise((done) => setTimeout(done, 100));
  }
}

const gate = await serve(
  8080,
  router({
    "POST /shout": (request) => ({ body: shouted(request) }),
    "GET /events": (request) => ({
      headers: { "Content-Type": "text/event-stream", "Cache-Control": "no-store" },
      body: ticks(request),
    }),
  }),
);
console.log(`listening on ${gate.addresses}`);
