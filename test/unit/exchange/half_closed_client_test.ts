/** A client that closes its sending side while it waits for the last of several answers: what was answered before reaches it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLab } from "../../support/memory_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/** How far the endpoint has come with the last request. */
const BEGUN = {
  "nothing": "",
  "an interim response": "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
  "half a head": "HTTP/1.1 200 OK\r\nX: ",
  "a stream": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
} as const;

for (const [what, begun] of Object.entries(BEGUN)) {
  for (const before of [0, 1, 3]) {
    test(`client_half_close: abort: ${before} answers, then ${what}: the client is left with an end in order`, async () => {
      const { runtime, origins, dial, proxy } = await memoryLab("to: 3001\n", {}, () => {});
      const { network } = runtime;
      const client = dial();
      client.say(GET.repeat(before + 1));
      network.run();
      const [origin] = origins;
      assert.ok(origin !== undefined);
      for (let answers = 0; answers < before; answers++) {
        origin.say(OK);
        network.run();
      }
      origin.say(begun);
      network.run();
      client.socket.finish();
      network.run();
      assert.equal(client.received.split("\r\n\r\nok").length, before + 1);
      assert.ok(!/reset|terminated|aborted/.test(client.end), client.end);
      assert.match(client.end, /^ended /);
      assert.match(origin.end, /reset|ended/, "the endpoint need not go on");
      const ended = proxy.ended.at(-1);
      assert.deepEqual([ended?.reason, ended?.detail], [
        "client_gone",
        "it closed its sending side (client_half_close: abort)",
      ]);
      assert.equal(proxy.gateway.connections, 0);
      assert.equal(proxy.upstream().inFlight, 0);
    });
  }
}

const NEVER = () => new Promise<never>(() => {});

for (
  const [what, hooks] of [
    ["is asked about the request", {
      onRequest: (request: { path: string }) => request.path === "/last" ? NEVER() : undefined,
    }],
    ["is asked about the answer", {
      onResponse: (_: unknown, request: { path: string }) => request.path === "/last" ? NEVER() : undefined,
    }],
  ] as const
) {
  test(`client_half_close: abort: the script ${what}: the client is left with an end in order`, async () => {
    const lab = await PlaneLab.start(
      "upstreams: {app: {endpoints: 3001}}\nroutes: [{to: app}]\naccess_log: json\nscript: s.ts\n",
      {},
      {},
      { "/s.ts": () => hooks },
    );
    const backend = await lab.backend(3001);
    backend.script = (peer) => peer.say(OK);
    const client = lab.dial();
    client.say(GET + GET.replace("/", "/last"));
    await lab.pass(100);
    client.socket?.finish();
    await lab.until("its end", () => client.end !== "", 1000);
    assert.match(client.end, /^ended /);
    assert.equal(client.received.split("\r\n\r\nok").length, 2);
    await lab.pass(2000);
    const reasons = lab.system.stdout.trim().split("\n").map((line) => JSON.parse(line).reason);
    assert.deepEqual(reasons, ["", "client_gone"]);
    await lab.stop();
  });
}

test("client_half_close: abort: the answer to wrong credentials is put off: the client is left with an end in order", async () => {
  const lab = await PlaneLab.start(
    "forward: {listen: 127.0.0.1:0, ports: all, allow: [127.0.0.1], users: /users}\n",
    {},
    { "/users": "joe:{SHA}0nofEXcSAJSXFLGvmfBIpBb11vQ=\n" },
  );
  const backend = await lab.backend(3001);
  backend.script = (peer) => peer.say(OK);
  const ask = (password: string) =>
    `GET http://127.0.0.1:3001/ HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic ${
      btoa(`joe:${password}`)
    }\r\n\r\n`;
  for (let failures = 0; failures < 10; failures++) lab.dial().say(ask("wrong"));
  await lab.pass(50);
  const client = lab.dial();
  client.say(ask("right") + ask("wrong"));
  await lab.until("the first answer", () => client.received.endsWith("ok"), 500);
  assert.equal(client.received.split("HTTP/1.1").length, 2, "the second one is put off");
  client.socket?.finish();
  await lab.until("its end", () => client.end !== "", 100);
  assert.match(client.end, /^ended /);
  await lab.stop();
});
