/** A request that was handed over and not taken: it may go again only if all of it is still here. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decideRetry } from "../../../src/exchange/retry.ts";
import { memoryLab, type Peer } from "../../support/memory_lab.ts";
import { walkSeeds } from "../../support/seeds.ts";

test("not a byte was sent, but the body is gone: not again", () => {
  const facts = {
    failure: "reset",
    sent: false,
    reused: true,
    anyResponse: false,
    responseBegun: false,
    method: "PUT",
    idempotencyKey: false,
    replayable: false,
    attempts: 1,
    lost: 0,
    timeLeftMs: 1000,
    pinned: false,
    elsewhere: false,
  } as const;
  const policy = {
    on: ["reset"],
    methods: ["PUT"],
    tries: 0,
    unansweredTries: 3,
    unanswered: false,
  } as const;
  assert.deepEqual(decideRetry(facts, policy), { kind: "no", because: "body_not_replayable" });
});

const SEEDS = 150;

test("a pooled connection is reset as a body begins to stream: no origin ever sees half of it as complete", async () => {
  const body = "0123456789".repeat(5);
  let refused = 0;
  let again = 0;
  const seeds = walkSeeds(SEEDS);
  for (const seed of seeds) {
    const answered = (peer: Peer): void => {
      if (!peer.received.includes("GET /") && !peer.received.endsWith("0\r\n\r\n")) return;
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    };
    const yaml = "to: 3001\nrequest_buffer: 0\n";
    const { runtime, proxy, origins, dial } = await memoryLab(yaml, { seed, chunking: "whole" }, answered);
    const client = dial();
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    runtime.network.run();
    // The reset and the request are under way at the same time.
    client.say(`PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n32\r\n${body}\r\n`);
    origins[0]?.socket.abort();
    runtime.network.run();
    client.say("0\r\n\r\n");
    runtime.network.run();
    for (const { received } of origins) {
      const at = received.indexOf("PUT");
      if (at >= 0 && received.endsWith("0\r\n\r\n")) assert.match(received.slice(at), new RegExp(body));
    }
    const put = proxy.ended[1];
    if (put?.reason === "body_not_replayable") refused++;
    else if (put?.status === 200) again++;
  }
  assert.equal(refused + again, seeds.length);
  assert.ok((refused > 0 && again > 0) || seeds.length < SEEDS, `${refused} refused, ${again} sent`);
});
