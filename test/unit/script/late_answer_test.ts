/** A client whose time is over while its request's script thinks about the answer: it gets the answer all the same. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf } from "../../support/network_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

const OPTIONS = "hold: 0\nrequest_buffer: 0\nbody_idle_timeout: 2s\nscript: {file: route.ts, timeout: 1m}\n";
const UPLOAD = "POST /upload HTTP/1.1\r\nHost: lab\r\nContent-Length: 100\r\n\r\nbegun";
const PAGE = { status: 503, body: "later" };

const CASES: readonly [hook: string, thought: object | undefined, answer: RegExp][] = [
  ["onError", PAGE, /^503 later$/],
  ["onError", undefined, /^502 [^]*connection_refused/],
  ["onResponse", PAGE, /^503 later$/],
  ["onResponse", undefined, /^200 3000\/upload$/],
];

for (const [hook, thought, answer] of CASES) {
  const what = thought === undefined ? "what came" : "its page";
  test(`a client that does not send its body to the end while ${hook} thinks gets ${what}`, async () => {
    const thinking = Promise.withResolvers<object | undefined>();
    let asked = false;
    const think = () => {
      asked = true;
      return thinking.promise;
    };
    const lab = await PlaneLab.start(`to: 3000\n${OPTIONS}`, {}, {}, {
      "/route.ts": () => ({ [hook]: think }),
    });
    if (hook === "onResponse") await lab.backend(3000);
    const client = lab.dial();
    client.say(UPLOAD);
    await lab.until("the question", () => asked);
    await lab.pass(5000);
    assert.deepEqual([client.received, client.end], ["", ""], "it waits");
    thinking.resolve(thought);
    await answered(lab, client, answer);
    await lab.stop();
  });
}

test("a client that does not send its small body to the end gets the answer of a handler", async () => {
  const lab = await PlaneLab.start(`to: 3000\n${OPTIONS}`, {}, {}, {
    "/route.ts": () => ({ default: () => PAGE }),
  });
  const client = lab.dial();
  client.say(UPLOAD);
  await answered(lab, client, /^503 later$/);
  await lab.stop();
});

async function answered(lab: PlaneLab, client: ReturnType<PlaneLab["dial"]>, answer: RegExp): Promise<void> {
  await lab.until("an answer", () => client.received !== "" || client.end !== "", 10_000);
  assert.match(answerOf(client), answer);
  await lab.pass(30_000);
  assert.notEqual(client.end, "", "its body never comes: the connection has no further use");
  const { connections, totals } = await lab.done(lab.plane.status());
  assert.deepEqual([connections, totals.requests], [0, 1]);
}
