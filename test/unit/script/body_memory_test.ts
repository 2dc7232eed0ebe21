/** Bodies in the hands of scripts: all of them together stay within `queue.bytes`, and what they took comes back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { to } from "../../../src/script/decision.ts";
import type { HttpRequest } from "../../../src/script/script_types.ts";
import { answerOf } from "../../support/network_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

const KIB = 1024;
const YAML = "upstreams: {app: {endpoints: [3000]}, down: {endpoints: [3009], hold: 0}}\n" +
  "queue: {bytes: 100KiB}\nroutes: [{to: app}, {match: {path: /down}, to: down}]\nrequest_buffer: 64KiB\nscript: {file: route.ts, timeout: 10m}\n";

async function withScript(
  exports: Readonly<Record<string, unknown>>,
  act: (lab: PlaneLab) => Promise<void>,
  yaml = YAML,
) {
  const lab = await PlaneLab.start(yaml, {}, {}, { "/route.ts": () => exports });
  const backend = await lab.backend(3000);
  backend.script = (peer) => {
    backend.asked.push(peer.received);
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    peer.received = "";
  };
  await act(lab);
  await lab.stop();
}

function upload(lab: PlaneLab, bytes: number, target = "/", announced = bytes) {
  const client = lab.dial();
  client.say(
    `POST ${target} HTTP/1.1\r\nHost: lab\r\nContent-Length: ${announced}\r\n\r\n` + "x".repeat(bytes),
  );
  return client;
}

for (const isWhole of [true, false]) {
  const how = isWhole ? "that are here" : "that are still coming";
  test(`bodies ${how} while scripts have them fill the memory; a further one is refused, until they are over`, async () => {
    const thinking: (() => void)[] = [];
    const onRequest = async (request: HttpRequest) => {
      await request.bytes();
      await new Promise<void>((done) => thinking.push(done));
    };
    await withScript({ onRequest }, async (lab) => {
      const announced = isWhole ? 60 * KIB : 64 * KIB;
      const first = upload(lab, 60 * KIB, "/", announced);
      await lab.pass(50);
      const second = upload(lab, 60 * KIB, "/", announced);
      await lab.pass(50);
      assert.equal(first.received, "");
      assert.match(answerOf(second), /^503 [^]*queue_full/);
      const small = upload(lab, 10 * KIB);
      await lab.pass(50);
      if (!isWhole) first.socket.abort();
      await lab.pass(50);
      for (const done of thinking.splice(0)) done();
      await lab.pass(50);
      assert.equal(answerOf(small), "200 ok");
      if (isWhole) assert.equal(answerOf(first), "200 ok");
      // All of it has come back, whatever became of them: otherwise the memory would be full after two more.
      for (let more = 0; more < 5; more++) {
        const next = upload(lab, 60 * KIB);
        await lab.pass(50);
        for (const done of thinking.splice(0)) done();
        await lab.pass(50);
        assert.equal(answerOf(next), "200 ok", `${more}`);
      }
    });
  });
}

test("one body alone is never too large for the memory, only for its limit", async () => {
  const onRequest = async (request: HttpRequest) => ({ body: `${(await request.bytes(KIB * KIB)).length}` });
  await withScript({ onRequest }, async (lab) => {
    const client = upload(lab, 300 * KIB);
    await lab.pass(50);
    assert.equal(answerOf(client), `200 ${300 * KIB}`);
  });
});

test("a copy for onError is kept while there is room for it; without it a request fails as it would", async () => {
  const thinking: (() => void)[] = [];
  const onError = async () => {
    await new Promise<void>((done) => thinking.push(done));
    return { status: 503, body: "later" };
  };
  await withScript({ onError }, async (lab) => {
    // Each is kept for as long as its script thinks.
    const clients = [1, 2, 3, 4].map(() => upload(lab, 60 * KIB, "/down"));
    await lab.pass(50);
    assert.equal(thinking.length, 4);
    for (const done of thinking.splice(0)) done();
    await lab.pass(50);
    assert.deepEqual(clients.map(answerOf), ["503 later", "503 later", "503 later", "503 later"]);
  });
});

test("what does not fit is not sent elsewhere after a failure; what fits is", async () => {
  const thinking: (() => void)[] = [];
  const onError = async () => {
    await new Promise<void>((done) => thinking.push(done));
    return to("app");
  };
  await withScript({ onError }, async (lab) => {
    const clients = [60, 60, 30].map((kib) => upload(lab, kib * KIB, "/down"));
    await lab.pass(50);
    for (const done of thinking.splice(0)) done();
    await lab.pass(50);
    assert.deepEqual(clients.map((client) => answerOf(client).slice(0, 6)), ["200 ok", "502 50", "200 ok"]);
    assert.match(lab.system.stderr, /script_error: .*to: of the request's body not all is kept/);
  });
});

test("what is sent elsewhere after a failure is counted, too, and nothing is left of it", async () => {
  await withScript({ onError: () => to("app") }, async (lab) => {
    for (let round = 0; round < 6; round++) {
      const client = upload(lab, 60 * KIB, "/down");
      await lab.pass(50);
      assert.equal(answerOf(client), "200 ok", `${round}`);
    }
  });
});

test("of a body that was read, and that nobody gets since the request is refused at once, nothing is left", async () => {
  const hooks = { onRequest: (request: HttpRequest) => request.bytes().then(() => {}), onError: () => {} };
  const nowhere = YAML.replace("{to: app}, ", "");
  await withScript(hooks, async (lab) => {
    for (let round = 0; round < 6; round++) {
      const client = upload(lab, 60 * KIB, "/nowhere");
      await lab.pass(50);
      assert.match(answerOf(client), /^404 /, `${round}`);
    }
  }, nowhere);
});

test("one body alone is not too large for two scripts that read it, one after the other", async () => {
  const hooks = { onRequest: (request: HttpRequest) => request.bytes().then(() => {}), onError: () => {} };
  const twice = YAML.replace("{to: app}", "{to: app, script: route.ts}");
  await withScript(hooks, async (lab) => {
    for (let round = 0; round < 3; round++) {
      const client = upload(lab, 60 * KIB);
      await lab.pass(50);
      assert.equal(answerOf(client), "200 ok", `${round}`);
    }
    const [first, second] = [upload(lab, 60 * KIB, "/", 64 * KIB), upload(lab, 60 * KIB, "/", 64 * KIB)];
    await lab.pass(50);
    assert.match(answerOf(second), /^503 [^]*queue_full/);
    first.socket.abort();
    await lab.pass(50);
    const last = upload(lab, 60 * KIB);
    await lab.pass(50);
    assert.equal(answerOf(last), "200 ok");
  }, twice);
});
