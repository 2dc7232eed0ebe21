/** A request that is over within the call of the script that is asked about it: what the script gives back comes too late. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRequest } from "../../../src/script/script_types.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

const YAML = "upstreams: {app: {endpoints: [3000]}}\nmax_body: 4KiB\nscript: first.ts\n" +
  "routes: [{to: app, script: second.ts}]\n";
const TOO_MUCH = `1400\r\n${"x".repeat(0x1400)}\r\n0\r\n\r\n`;

/** What the body is read by comes with it, so that too much of it is seen as soon as it is asked for. */
const HOOKS: Readonly<Record<string, (request: HttpRequest) => unknown>> = {
  "nothing is waited for": (request) => {
    request.bytes().catch(() => {});
  },
  "it waits for the body": async (request) => {
    await request.bytes();
  },
  "its promise is rejected": async (request) => {
    await request.bytes().catch(() => {});
    throw new Error("too late");
  },
  "it answers": (request) => {
    request.bytes().catch(() => {});
    return { status: 200, body: "mine" };
  },
};

for (const [what, onRequest] of Object.entries(HOOKS)) {
  test(`a body that is too long is refused within the call of the second script: ${what}`, async () => {
    // Nothing is read before the first one has thought.
    const first = { onRequest: () => Promise.resolve() };
    const lab = await PlaneLab.start(YAML, {}, {}, {
      "/first.ts": () => first,
      "/second.ts": () => ({ onRequest }),
    });
    const backend = await lab.backend(3000);
    backend.script = (peer) => {
      backend.asked.push(peer.received);
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      peer.received = "";
    };
    const client = lab.dial();
    client.say(`POST / HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n\r\n${TOO_MUCH}`);
    await lab.pass(50);
    assert.deepEqual(client.received.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 413"], client.received);
    assert.deepEqual(backend.asked, []);
    assert.doesNotMatch(lab.system.stderr, /script_error/);
    // The connection may go on, or be closed; nothing of this request comes later.
    const next = lab.dial();
    next.say("GET / HTTP/1.1\r\nHost: lab\r\n\r\n");
    await lab.pass(50);
    assert.match(
      next.received,
      what === "it answers" ? /mine$/ : what.endsWith("rejected") ? /^HTTP\/1\.1 500 / : /ok$/,
    );
    assert.equal(client.received.match(/HTTP\/1\.1 \d+/g)?.length, 1);
    await lab.stop();
  });
}
