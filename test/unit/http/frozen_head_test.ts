/** Nothing about a head changes once it is parsed: messages share heads and field sections. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Head } from "../../../src/http/head.ts";
import { MessageParser } from "../../../src/http1/message_parser.ts";
import { memoryLab } from "../../support/memory_lab.ts";

function freeze(head: Head | null): void {
  if (head === null) return;
  Object.freeze(head);
  Object.freeze(head.section);
  Object.freeze(head.section.table);
}

/** Runs `body` while every head and trailer section is frozen as soon as a parser tells of it. */
async function withFrozenHeads(body: () => Promise<void>): Promise<void> {
  const { next } = MessageParser.prototype;
  MessageParser.prototype.next = function (this: MessageParser) {
    const event = next.call(this);
    if (event === "head") freeze(this.head);
    if (event === "end") freeze(this.trailers);
    return event;
  };
  try {
    await body();
  } finally {
    MessageParser.prototype.next = next;
  }
}

test("frozen heads are relayed, new ones and remembered ones, with bodies and trailers of every framing", () =>
  withFrozenHeads(async () => {
    const answers = [
      "HTTP/1.1 200 OK\r\nContent-Length: 002\r\nX-A: 1\r\n\r\nok",
      "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" +
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nAge: 1\r\n\r\n",
      "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=a, NTLM\r\nContent-Length: 2\r\nConnection: X-B\r\n" +
      "X-B: 1\r\n\r\nok",
    ];
    const requests = [
      "GET /1 HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\nTE: trailers\r\nConnection: TE\r\n\r\n",
      "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0003\r\nExpect: 100-continue\r\n\r\nabc",
      "PUT /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nHost: b\r\n\r\n",
      "OPTIONS http://a/4 HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\nX_Y: 1\r\n\r\n",
    ];
    const seen: string[] = [];
    let answered = 0;
    const lab = await memoryLab("to: 3001\n", { seed: 1 }, (peer) => {
      const end = peer.received.startsWith("POST")
        ? "abc"
        : peer.received.startsWith("PUT")
        ? "X-Sum: 1\r\n\r\n"
        : "\r\n\r\n";
      const whole = peer.received.endsWith(end);
      if (!whole) return;
      seen.push(peer.received);
      peer.received = "";
      peer.say(answers[answered++ % answers.length] as string);
    });
    const client = lab.dial();
    for (let round = 0; round < 6; round++) {
      for (const request of requests) {
        for (let i = 0; i < answers.length; i++) {
          const before = client.received.length;
          client.say(request);
          lab.runtime.network.run();
          const answer = client.received.slice(before);
          assert.match(answer, /^HTTP\/1\.1 (200|103|401|100) /, request);
          assert.ok(answer.includes("ok"), answer);
        }
      }
    }
    assert.equal(seen.length, 6 * requests.length * answers.length);
    assert.ok(seen.some((request) => request.includes("Content-Length: 3\r\n")));
    assert.ok(client.received.includes("Content-Length: 2\r\nX-A: 1\r\n"));
  }));
