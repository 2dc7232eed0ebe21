/** Name servers that lie, flood, loop, cut, babble or say nothing, and strangers who guess. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { answerTo, type WireQuestion, type WireRecord } from "../../support/dns_wire.ts";
import { encodeQuestion, readReply } from "../../../src/resolve/dns_message.ts";
import { addresses, NameLab } from "../../support/name_lab.ts";

const LIE: readonly WireRecord[] = [{ name: "app.test", type: "A", data: "6.6.6.6" }];
const right = addresses(["10.0.0.1"]);

/** The right answer after these. */
function after(lies: (question: WireQuestion) => readonly Uint8Array[]) {
  return (question: WireQuestion): readonly Uint8Array[] => {
    const { name, type } = question;
    const truth = type === "A" ? [{ name, type: "A" as const, data: "10.0.0.1" }] : [];
    return [...lies(question), answerTo(question, { answers: truth })];
  };
}

test("wrong ids, other questions, questions instead of answers and garbage are not believed", async () => {
  const lies: readonly ((question: WireQuestion) => Uint8Array)[] = [
    (question) => answerTo(question, { id: question.id ^ 1, answers: LIE }),
    (question) => answerTo(question, { question: { name: "app.test.evil", type: 1 }, answers: LIE }),
    (question) => answerTo(question, { question: { name: "app.test", type: 16 }, answers: LIE }),
    (question) => answerTo(question, { question: null, answers: LIE }),
    (question) => question.bytes,
    () => new Uint8Array(),
    () => Uint8Array.of(1, 2, 3),
    () => new Uint8Array(600).fill(0xff),
    (question) => answerTo(question, { answers: LIE }).subarray(0, 14),
  ];
  for (const [at, lie] of lies.entries()) {
    const lab = new NameLab();
    lab.script = after((question) => [lie(question)]);
    assert.equal(await lab.resolve("app.test"), "10.0.0.1", `lie ${at}`);
    assert.equal(lab.platform.network.openDatagramSockets, 0);
  }
});

test("a flood of wrong answers: the server is asked over TCP, where nobody can guess", async () => {
  const lab = new NameLab();
  await lab.serveTcp();
  lab.script = (question, tcp) =>
    tcp
      ? right(question, tcp)
      : Array.from({ length: 5000 }, (_, i) =>
        answerTo(question, { id: (question.id + i + 1) & 0xffff, answers: LIE }));
  assert.equal(await lab.resolve("app.test"), "10.0.0.1");
  assert.deepEqual(lab.asked.filter((line) => line.endsWith("tcp")).sort(), [
    "app.test A tcp",
    "app.test AAAA tcp",
  ]);
});

test("a truncated answer: TCP", async () => {
  const lab = new NameLab();
  await lab.serveTcp();
  lab.script = (question, tcp) => tcp ? right(question, tcp) : { truncated: true, answers: LIE };
  assert.equal(await lab.resolve("app.test"), "10.0.0.1");
});

test("TCP that is refused, closes early or babbles is a failure of that server", async () => {
  const lab = new NameLab({ "/resolv.conf": "nameserver 192.0.2.53\noptions attempts:1" });
  lab.script = () => ({ truncated: true });
  assert.equal(await lab.resolve("app.test"), "dns_error", "refused");
  await lab.serveTcp();
  await lab.advance(1000);
  lab.script = (_, tcp) => tcp ? new Uint8Array(40) : { truncated: true };
  assert.equal(await lab.resolve("app.test"), "dns_error", "babble");
});

test("TCP byte by byte, and a message that never becomes whole", async () => {
  const lab = new NameLab({ "/resolv.conf": "nameserver 192.0.2.53\noptions attempts:1 timeout:2" });
  lab.script = (question, tcp) => tcp ? right(question, tcp) : { truncated: true };
  await lab.serveTcp("192.0.2.53", (socket, message) => {
    for (let at = 0; at < message.length; at++) socket.write(message, at, at + 1);
  });
  assert.equal(await lab.resolve("app.test"), "10.0.0.1");
  const endless = new NameLab({ "/resolv.conf": "nameserver 192.0.2.53\noptions attempts:1 timeout:2" });
  endless.script = lab.script;
  await endless.serveTcp("192.0.2.53", (socket) => socket.write(new Uint8Array(4000).fill(0xff), 0, 4000));
  const began = endless.now;
  assert.equal(await endless.resolve("app.test"), "dns_timeout");
  assert.equal(endless.now - began, 2000);
});

test("aliases: followed to the address, with the shortest time to live", async () => {
  const lab = new NameLab();
  lab.script = ({ name, type }) => ({
    answers: type !== "A" ? [] : [
      { name, type: "CNAME", ttl: 5, data: "b.test" },
      { name: "b.test", type: "CNAME", ttl: 600, data: "c.test" },
      { name: "c.test", type: "A", ttl: 600, data: "10.0.0.7" },
      { name: "elsewhere.test", type: "A", data: "6.6.6.6" },
    ],
  });
  assert.equal(await lab.resolve("app.test"), "10.0.0.7");
  const before = lab.asked.length;
  await lab.advance(4900);
  assert.equal(await lab.resolve("app.test"), "10.0.0.7");
  assert.equal(lab.asked.length, before, "kept");
  await lab.advance(200);
  await lab.resolve("app.test");
  assert.ok(lab.asked.length > before, "five seconds are over");
});

test("aliases that the server leaves to us are asked for", async () => {
  const lab = new NameLab();
  lab.script = ({ name, type }) => {
    if (name === "app.test") return { answers: [{ name, type: "CNAME", data: "real.test" }] };
    return { answers: type === "A" ? [{ name, type: "A", data: "10.0.0.8" }] : [] };
  };
  assert.equal(await lab.resolve("app.test"), "10.0.0.8");
});

test("loops of aliases, within a message and over many, end", async () => {
  const lab = new NameLab({ "/resolv.conf": "nameserver 192.0.2.53\noptions attempts:1" });
  lab.script = ({ name }) => ({
    answers: [{ name, type: "CNAME", data: "b.test" }, { name: "b.test", type: "CNAME", data: name }],
  });
  assert.equal(await lab.resolve("app.test"), "dns_error");
  await lab.advance(1000);
  lab.asked.length = 0;
  let count = 0;
  lab.script = ({ name }) => ({ answers: [{ name, type: "CNAME", data: `a${++count}.test` }] });
  assert.equal(await lab.resolve("app.test"), "dns_error");
  assert.ok(lab.asked.length <= 20, `${lab.asked.length} questions`);
});

test("records that lie outside of the message, have wrong sizes or are too many: no answer", async () => {
  const bad: readonly ((question: WireQuestion) => Uint8Array)[] = [
    (question) => answerTo(question, { answers: [{ name: "app.test", type: "A", data: [1, 2, 3] }] }),
    (question) => answerTo(question, { answers: [{ name: "app.test", type: "AAAA", data: [1, 2, 3, 4] }] }),
    (question) => answerTo(question, { answers: [{ name: "app.test", type: "CNAME", data: [0xc0, 0xff] }] }),
    (question) => answerTo(question, { answers: LIE }).subarray(0, -1),
    (question) => {
      const bytes = answerTo(question, { answers: LIE });
      new DataView(bytes.buffer).setUint16(6, 0xffff);
      return bytes;
    },
  ];
  for (const [at, make] of bad.entries()) {
    const lab = new NameLab({ "/resolv.conf": "nameserver 192.0.2.53\noptions attempts:1" });
    lab.script = (question) => make(question);
    assert.equal(await lab.resolve("app.test"), "dns_error", `message ${at}`);
  }
});

test("a name whose pointer leads to itself or forwards is none", () => {
  const question = { id: 7, name: "a", family: "A" } as const;
  const asked = encodeQuestion(question, false);
  for (const pointer of [19, 21, 200]) {
    const bytes = Uint8Array.from([...asked, 0xc0, pointer, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 6, 6, 6, 6]);
    bytes[2] = 0x81;
    bytes[7] = 1;
    assert.deepEqual(readReply(bytes, question), { kind: "refused", rcode: -1 }, `pointer to ${pointer}`);
  }
});

test("the unspecified address is no address", async () => {
  const lab = new NameLab();
  lab.script = addresses(["0.0.0.0"], ["::"]);
  assert.equal(await lab.resolve("app.test"), "dns_error");
});

test("silence: the next server is asked, and the silent one last from then on", async () => {
  const lab = new NameLab({
    "/resolv.conf": "nameserver 192.0.2.1\nnameserver 192.0.2.53\noptions timeout:1\n",
  });
  lab.script = addresses(["10.0.0.1"], [], 0);
  const began = lab.now;
  assert.equal(await lab.resolve("app.test"), "10.0.0.1");
  assert.equal(lab.now - began, 1000);
  await lab.advance(1000);
  const again = lab.now;
  assert.equal(await lab.resolve("app.test"), "10.0.0.1");
  assert.equal(lab.now, again);
});

test("silence of all servers is a time-out; a machine without a server says so at once", async () => {
  const lab = new NameLab({ "/resolv.conf": "nameserver 192.0.2.1\noptions timeout:1 attempts:3\n" });
  const began = lab.now;
  assert.equal(await lab.resolve("app.test"), "dns_timeout");
  assert.equal(lab.now - began, 3000);
  lab.platform.network.datagramPeers.set("192.0.2.1 53", "refuses");
  await lab.advance(1000);
  const again = lab.now;
  assert.equal(await lab.resolve("app.test"), "dns_error");
  assert.equal(lab.now, again);
  assert.equal(lab.platform.network.openDatagramSockets, 0);
});

test("SERVFAIL and REFUSED: the next server; FORMERR: without EDNS", async () => {
  const lab = new NameLab({ "/resolv.conf": "nameserver 192.0.2.1\nnameserver 192.0.2.53\n" });
  lab.script = (question, tcp) => question.extended ? { rcode: 1, question: null } : right(question, tcp);
  for (const rcode of [2, 5]) {
    lab.serve("192.0.2.1", () => ({ rcode }));
    assert.equal(await lab.resolve(`app${rcode}.test`), "10.0.0.1");
  }
});

test("any bytes are read without a throw", () => {
  const question = { id: 0x1234, name: "app.test", family: "A" } as const;
  const good = answerTo(
    { ...question, type: "A", extended: false, bytes: new Uint8Array() },
    {
      answers: [{ name: "app.test", type: "CNAME", data: "b.test" }, {
        name: "b.test",
        type: "A",
        data: "1.2.3.4",
      }],
    },
  );
  assert.equal(readReply(good, question).kind, "answer");
  let seed = 42;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let i = 0; i < 20_000; i++) {
    const bytes = good.slice(0, random(4) === 0 ? random(good.length + 1) : good.length);
    for (let n = 1 + random(4); n > 0 && bytes.length > 0; n--) bytes[random(bytes.length)] = random(256);
    readReply(bytes, question);
  }
});
