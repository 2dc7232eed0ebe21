/** Slow readers: what they have not taken costs a bounded buffer, the sender is made to wait, nothing is lost. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { HIGH_WATER_BYTES } from "../../src/http/water_marks.ts";
import { OUTPUT_BUFFER_BYTES } from "../../src/conn/output_buffer.ts";
import { SendQueue } from "../../src/conn/send_queue.ts";
import type { Wire } from "../support/wire.ts";
import { type Lab, message, patterned, withLab } from "./lab.ts";

const MIB = 1024 * 1024;
const CASES = [["length", patterned(64 * MIB)], ["chunked", patterned(24 * MIB)]] as const;

/** The largest backlog of any connection of this process since `mostQueued` was set to 0. */
let mostQueued = 0;
const push = SendQueue.prototype.push;
SendQueue.prototype.push = function (this: SendQueue, ...given: Parameters<SendQueue["push"]>): boolean {
  const kept = push.apply(this, given);
  if (this.bytes > mostQueued) mostQueued = this.bytes;
  return kept;
};

function checkBound({ proxy }: Lab): void {
  const { maxChunkBytes } = proxy.runtime.capabilities;
  const bound = HIGH_WATER_BYTES + OUTPUT_BUFFER_BYTES + maxChunkBytes;
  assert.ok(mostQueued > HIGH_WATER_BYTES, `only ${mostQueued} bytes were ever queued`);
  assert.ok(mostQueued <= bound, `${mostQueued} bytes queued, ${bound} allowed`);
  assert.ok(bound <= MIB);
}

/** Waits until the proxy has stopped reading, and checks that others are served meanwhile. */
async function stalled(lab: Lab, taken: () => boolean): Promise<void> {
  await lab.proxy.until("bytes to wait in the proxy", () => mostQueued > HIGH_WATER_BYTES);
  lab.origin.auto(() => "quick");
  const other = await lab.connect();
  for (let round = 0; round < 3; round++) {
    assert.equal((await other.ask(message(["GET /other HTTP/1.1", "Host: a"]))).text, "quick");
  }
  assert.equal(taken(), false, "the sender is made to wait");
}

/** Sends the whole body, as chunks if asked to. */
async function sendBody(to: Wire, body: Uint8Array, kind: "length" | "chunked"): Promise<void> {
  if (kind === "length") return await to.send(body);
  for (let at = 0; at < body.length; at += MIB) {
    await to.send(`${MIB.toString(16)}\r\n`);
    await to.send(body.subarray(at, at + MIB));
    await to.send("\r\n");
  }
  await to.send("0\r\n\r\n");
}

for (const [kind, body] of CASES) {
  const sum = createHash("sha256").update(body).digest("hex");
  const framing = kind === "length" ? `Content-Length: ${body.length}` : "Transfer-Encoding: chunked";

  test(`a client that pauses within a large response, ${kind}`, () =>
    withLab("", async (lab) => {
      mostQueued = 0;
      const { client, peer } = await lab.begin(message(["GET / HTTP/1.1", "Host: a"]));
      client.record = false;
      client.pause();
      await peer.readRequest();
      let taken = false;
      await peer.send(message(["HTTP/1.1 200 OK", framing]));
      const sent = sendBody(peer, body, kind).then(() => taken = true);
      await stalled(lab, () => taken);
      client.resume();
      const hash = createHash("sha256");
      const answer = await client.readResponse({ onBody: (bytes) => hash.update(bytes) });
      await sent;
      assert.equal(answer.bodyBytes, body.length);
      assert.equal(hash.digest("hex"), sum);
      checkBound(lab);
    }));

  test(`an endpoint that pauses within a large upload, ${kind}`, () =>
    withLab("", async (lab) => {
      mostQueued = 0;
      const { client, peer } = await lab.begin(message(["PUT / HTTP/1.1", "Host: a", framing]));
      peer.record = false;
      peer.pause();
      let taken = false;
      const sent = sendBody(client, body, kind).then(() => taken = true);
      await stalled(lab, () => taken);
      peer.resume();
      const hash = createHash("sha256");
      const request = await peer.readRequest({ onBody: (bytes) => hash.update(bytes) });
      await sent;
      assert.equal(request.bodyBytes, body.length);
      assert.equal(hash.digest("hex"), sum);
      checkBound(lab);
      await peer.respond({ status: 204 });
      assert.equal((await client.readResponse()).status, 204);
    }));
}
