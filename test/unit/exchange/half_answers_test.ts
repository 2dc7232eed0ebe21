/** Interim responses and answers that come to nothing: what they mean for memory and for another attempt. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLab, type Peer } from "../../support/memory_lab.ts";

test("a flood of interim responses to a client that does not read is not kept in memory", async () => {
  const hint = `HTTP/1.1 103 Early Hints\r\nX-Hint: ${"h".repeat(30_000)}\r\n\r\n`;
  const { runtime, proxy, origins, dial } = await memoryLab(
    "to: 3001\nbody_idle_timeout: 5s\n",
    {},
    (peer) => {
      peer.onData = null;
      peer.say(hint.repeat(60));
    },
  );
  const client = dial();
  client.socket.pause();
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  runtime.network.run();
  // Of 1.8 MB: the kernel's buffers take four times 64 KiB here, and a high-water mark and a chunk are ours.
  assert.ok((origins[0] as Peer).unsaid > 1_200_000, `${origins[0]?.unsaid} unsaid`);
  runtime.network.advance(10_000);
  assert.equal(proxy.ended[0]?.reason, "client_write_timeout");
  assert.equal(proxy.gateway.connections, 0);
});

test("a client that reads on gets all interim responses and the answer", async () => {
  const hint = `HTTP/1.1 103 Early Hints\r\nX-Hint: ${"h".repeat(30_000)}\r\n\r\n`;
  const { runtime, proxy, dial } = await memoryLab("to: 3001\n", {}, (peer) => {
    peer.onData = null;
    peer.say(hint.repeat(60) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  });
  const client = dial();
  client.socket.pause();
  client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  runtime.network.advance(2000);
  client.socket.resume();
  runtime.network.run();
  assert.equal(client.received.split("103 Early Hints").length, 61);
  assert.ok(client.received.endsWith("\r\n\r\nok"));
  assert.equal(proxy.ended[0]?.status, 200);
});

for (
  const [what, answer] of [
    ["half a head", "HTTP/1.1 200 O"],
    ["an interim response", "HTTP/1.1 103 Early Hints\r\n\r\n"],
  ] as const
) {
  test(`${what} is an answer: a request is not unanswered after it`, async () => {
    const yaml = "to: 3001\nretry: unanswered\n";
    const { runtime, proxy, origins, dial } = await memoryLab(yaml, {}, (peer) => {
      peer.say(answer);
      peer.onData = null;
    });
    const client = dial();
    client.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    runtime.network.run();
    origins[0]?.socket.abort();
    runtime.network.advance(100);
    assert.equal(proxy.ended[0]?.reason, "not_idempotent");
    assert.equal(origins.length, 1);
  });
}

test("a second attempt that comes to nothing leaves the first answer", async () => {
  for (const second of ["nonsense\r\n\r\n", "HTTP/1.1 503 Again\r\nContent-Length: 9\r\n\r\nshort"]) {
    const answers = ["HTTP/1.1 503 First\r\nContent-Length: 5\r\n\r\nfirst", second];
    const yaml = "to: 3001\nretry: {on: [reset, 503]}\n";
    const { runtime, dial } = await memoryLab(yaml, {}, (peer) => {
      peer.say(answers.shift() ?? "");
      if (answers.length === 0) peer.socket.finish();
    });
    const client = dial();
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    runtime.network.advance(500);
    assert.match(client.received, /^HTTP\/1.1 503 First\r\n[^]*\r\n\r\nfirst$/);
  }
});
