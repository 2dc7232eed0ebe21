/** A client that closes its sending side while it waits for the last of several answers: what was answered before reaches it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryLab } from "../../support/memory_lab.ts";

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
