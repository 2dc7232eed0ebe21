/**
 * A client's connection: these bytes arrive, this happens, those must leave. First everything that can happen in each
 * state; then conversations, whole, byte by byte and at every split; last that no cell of the table is left out.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DOWNSTREAM_STATES,
  DOWNSTREAM_TABLE,
  type DownstreamEvent,
  type DownstreamStateName,
} from "../../../src/conn/downstream_states.ts";
import { NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { Random } from "../../fuzz/support/random.ts";
import { ClientMachine } from "../../support/client_machine.ts";
import { CALLS, HAPPENINGS, owing, WAYS } from "../../support/client_scenes.ts";
import { watchSteps } from "../../support/watched_steps.ts";
import { walkSeeds } from "../../support/seeds.ts";

type Act = (machine: ClientMachine) => void;

/** Before anything else, so that every step of this file counts. */
const taken = watchSteps<DownstreamStateName, DownstreamEvent>(DOWNSTREAM_STATES);

/** What comes of it: the state, calls of the socket, what the handler is told, what is sent ("|" for CRLF), the deadline. */
function outcome(before: Act, happens: Act): string {
  const machine = new ClientMachine();
  before(machine);
  const { socket, told, connection } = machine;
  const [writes, calls, words] = [socket.writes.length, socket.calls.length, told.length];
  try {
    happens(machine);
  } catch (error) {
    return `throws: ${(error as Error).message}`;
  }
  const sent = socket.writes.slice(writes).join("");
  const due = connection.deadlineAt - machine.clock.now();
  return [
    connection.state.name,
    ...socket.calls.slice(calls),
    ...told.slice(words).map((word) => `told ${word}`),
    ...(sent === "" ? [] : [`sent ${sent}`]),
    due === Infinity ? "no deadline" : `${due} ms`,
  ].join(", ").replaceAll("\r\n", "|");
}

const EVERYTHING: Readonly<Record<string, Act>> = { ...HAPPENINGS, ...CALLS };

/** `drained`: an answer had waited to be sent since before. */
const OUTCOMES: Readonly<Record<DownstreamStateName, Readonly<Record<string, string>>>> = {
  "idle idle": {
    data: "whole due, told request cdefGET /, no deadline",
    fin: "closed done, close, 2000 ms",
    endAhead: "idle idle, 1000 ms",
    resetAhead: "idle idle, 1000 ms",
    deadline: "closed done, close, 2000 ms",
    gone: "closed closed, told closed, no deadline",
    expectBody: "idle idle, 1000 ms",
    pauseBody: "idle idle, 1000 ms",
    resumeBody: "idle idle, 1000 ms",
    sendInterim: "idle idle, 1000 ms",
    sendHead: "throws: sendHead while idle idle",
    sendBody: "throws: sendBody while idle idle",
    sendEnd: "throws: sendEnd while idle idle",
    switchProtocols: "throws: switchProtocols while idle idle",
    becomeRaw: "throws: becomeRaw while idle idle",
    abortResponse: "throws: abortResponse while idle idle",
    endUnanswered: "throws: endUnanswered while idle idle",
    refuseConnection: "refused due, no deadline",
    drain: "closed done, close, 2000 ms",
    abort: "closed done, abort, 1000 ms",
    drained: "idle idle, sent HTTP/1.1 200 -|Content-Length: 0||, 4000 ms",
  },
  "head idle": {
    data: "refused due, told refused bad_request, no deadline",
    fin: "refused due, told refused incomplete_message, no deadline",
    endAhead: "head idle, 1000 ms",
    resetAhead: "head idle, 1000 ms",
    deadline: "refused due, told refused request_timeout, no deadline",
    gone: "closed closed, told closed, no deadline",
    expectBody: "head idle, 1000 ms",
    pauseBody: "head idle, 1000 ms",
    resumeBody: "head idle, 1000 ms",
    sendInterim: "head idle, 1000 ms",
    sendHead: "throws: sendHead while head idle",
    sendBody: "throws: sendBody while head idle",
    sendEnd: "throws: sendEnd while head idle",
    switchProtocols: "throws: switchProtocols while head idle",
    becomeRaw: "throws: becomeRaw while head idle",
    abortResponse: "throws: abortResponse while head idle",
    endUnanswered: "throws: endUnanswered while head idle",
    refuseConnection: "throws: refuseConnection while head idle",
    drain: "head idle, 1000 ms",
    abort: "closed done, abort, 1000 ms",
    drained: "head idle, sent HTTP/1.1 200 -|Content-Length: 0||, 1000 ms",
  },
  "body due": {
    data: "whole due, told end, no deadline",
    fin: "refused due, told fault incomplete_message, 2000 ms",
    endAhead: "body due, told ended, 2000 ms",
    resetAhead: "closed done, abort, told gone reset, 2000 ms",
    deadline: "body due, told timed out read, 2000 ms",
    gone: "closed closed, told gone reset, told closed, no deadline",
    expectBody: "body due, 2000 ms",
    pauseBody: "body due, pause, no deadline",
    resumeBody: "body due, pause, resume, 2000 ms",
    sendInterim: "body due, sent HTTP/1.1 103 -||, 2000 ms",
    sendHead: "body begun, sent HTTP/1.1 200 -|Content-Length: 4|Connection: close||, 2000 ms",
    sendBody: "throws: sendBody while body due",
    sendEnd: "throws: sendEnd while body due",
    switchProtocols: "throws: switchProtocols while body due",
    becomeRaw: "throws: becomeRaw while body due",
    abortResponse: "closed done, abort, 2000 ms",
    endUnanswered: "spill done, finish, 5000 ms",
    refuseConnection: "throws: refuseConnection while body due",
    drain: "body due, 2000 ms",
    abort: "closed done, abort, 2000 ms",
    drained: "body due, told writable, sent HTTP/1.1 200 -|Content-Length: 0||, 2000 ms",
  },
  "body begun": {
    data: "whole begun, told end, no deadline",
    fin: "refused begun, told fault incomplete_message, 2000 ms",
    endAhead: "body begun, told ended, 2000 ms",
    resetAhead: "closed done, abort, told gone reset, 2000 ms",
    deadline: "body begun, told timed out read, 2000 ms",
    gone: "closed closed, told gone reset, told closed, no deadline",
    expectBody: "body begun, 2000 ms",
    pauseBody: "body begun, pause, no deadline",
    resumeBody: "body begun, pause, resume, 2000 ms",
    sendInterim: "body begun, 2000 ms",
    sendHead: "throws: sendHead while body begun",
    sendBody: "body begun, sent word, 2000 ms",
    sendEnd: "spill done, finish, 5000 ms",
    switchProtocols: "throws: switchProtocols while body begun",
    becomeRaw: "throws: becomeRaw while body begun",
    abortResponse: "spill done, finish, 5000 ms",
    endUnanswered: "throws: endUnanswered while body begun",
    refuseConnection: "throws: refuseConnection while body begun",
    drain: "body begun, 2000 ms",
    abort: "closed done, abort, 2000 ms",
    drained:
      "body begun, told writable, sent HTTP/1.1 200 -|Content-Length: 0||HTTP/1.1 200 -|Content-Length: 4|Connection: close||, 2000 ms",
  },
  "whole due": {
    data: "whole due, no deadline",
    fin: "whole due, told ended, no deadline",
    endAhead: "whole due, told ended, no deadline",
    resetAhead: "closed done, abort, told gone reset, no deadline",
    deadline: "whole due, told timed out read, no deadline",
    gone: "closed closed, told gone reset, told closed, no deadline",
    expectBody: "whole due, no deadline",
    pauseBody: "whole due, no deadline",
    resumeBody: "whole due, no deadline",
    sendInterim: "whole due, sent HTTP/1.1 103 -||, no deadline",
    sendHead: "whole begun, sent HTTP/1.1 200 -|Content-Length: 4||, no deadline",
    sendBody: "throws: sendBody while whole due",
    sendEnd: "throws: sendEnd while whole due",
    switchProtocols: "whole begun, sent HTTP/1.1 101 -|Connection: Upgrade|Upgrade: x||, no deadline",
    becomeRaw: "throws: becomeRaw while whole due",
    abortResponse: "closed done, abort, no deadline",
    endUnanswered: "spill done, finish, 5000 ms",
    refuseConnection: "throws: refuseConnection while whole due",
    drain: "whole due, no deadline",
    abort: "closed done, abort, no deadline",
    drained: "whole due, told writable, sent HTTP/1.1 200 -|Content-Length: 0||, no deadline",
  },
  "whole begun": {
    data: "whole begun, no deadline",
    fin: "whole begun, told ended, no deadline",
    endAhead: "whole begun, told ended, no deadline",
    resetAhead: "closed done, abort, told gone reset, no deadline",
    deadline: "whole begun, told timed out read, no deadline",
    gone: "closed closed, told gone reset, told closed, no deadline",
    expectBody: "whole begun, no deadline",
    pauseBody: "whole begun, no deadline",
    resumeBody: "whole begun, no deadline",
    sendInterim: "whole begun, no deadline",
    sendHead: "throws: sendHead while whole begun",
    sendBody: "whole begun, sent word, no deadline",
    sendEnd: "idle idle, 4000 ms",
    switchProtocols: "throws: switchProtocols while whole begun",
    becomeRaw: "raw raw, no deadline",
    abortResponse: "spill done, finish, 5000 ms",
    endUnanswered: "throws: endUnanswered while whole begun",
    refuseConnection: "throws: refuseConnection while whole begun",
    drain: "whole begun, no deadline",
    abort: "closed done, abort, no deadline",
    drained:
      "whole begun, told writable, sent HTTP/1.1 200 -|Content-Length: 0||HTTP/1.1 200 -|Content-Length: 4||, no deadline",
  },
  "refused due": {
    data: "refused due, no deadline",
    fin: "refused due, told ended, no deadline",
    endAhead: "refused due, told ended, no deadline",
    resetAhead: "closed done, abort, told gone reset, no deadline",
    deadline: "refused due, told timed out read, no deadline",
    gone: "closed closed, told gone reset, told closed, no deadline",
    expectBody: "refused due, no deadline",
    pauseBody: "refused due, no deadline",
    resumeBody: "refused due, no deadline",
    sendInterim: "refused due, sent HTTP/1.1 103 -||, no deadline",
    sendHead: "refused begun, sent HTTP/1.1 200 -|Content-Length: 4|Connection: close||, no deadline",
    sendBody: "throws: sendBody while refused due",
    sendEnd: "throws: sendEnd while refused due",
    switchProtocols: "throws: switchProtocols while refused due",
    becomeRaw: "throws: becomeRaw while refused due",
    abortResponse: "closed done, abort, no deadline",
    endUnanswered: "spill done, finish, 5000 ms",
    refuseConnection: "throws: refuseConnection while refused due",
    drain: "refused due, no deadline",
    abort: "closed done, abort, no deadline",
    drained: "refused due, told writable, sent HTTP/1.1 200 -|Content-Length: 0||, no deadline",
  },
  "refused begun": {
    data: "refused begun, no deadline",
    fin: "refused begun, told ended, no deadline",
    endAhead: "refused begun, told ended, no deadline",
    resetAhead: "closed done, abort, told gone reset, no deadline",
    deadline: "refused begun, told timed out read, no deadline",
    gone: "closed closed, told gone reset, told closed, no deadline",
    expectBody: "refused begun, no deadline",
    pauseBody: "refused begun, no deadline",
    resumeBody: "refused begun, no deadline",
    sendInterim: "refused begun, no deadline",
    sendHead: "throws: sendHead while refused begun",
    sendBody: "refused begun, sent word, no deadline",
    sendEnd: "spill done, finish, 5000 ms",
    switchProtocols: "throws: switchProtocols while refused begun",
    becomeRaw: "throws: becomeRaw while refused begun",
    abortResponse: "spill done, finish, 5000 ms",
    endUnanswered: "throws: endUnanswered while refused begun",
    refuseConnection: "throws: refuseConnection while refused begun",
    drain: "refused begun, no deadline",
    abort: "closed done, abort, no deadline",
    drained:
      "refused begun, told writable, sent HTTP/1.1 200 -|Content-Length: 0||HTTP/1.1 400 -|Content-Length: 4|Connection: close||, no deadline",
  },
  "spill done": {
    data: "spill done, 5000 ms",
    fin: "closed done, close, 2000 ms",
    endAhead: "spill done, 5000 ms",
    resetAhead: "spill done, 5000 ms",
    deadline: "closed done, close, 2000 ms",
    gone: "closed closed, told closed, no deadline",
    expectBody: "spill done, 5000 ms",
    pauseBody: "spill done, 5000 ms",
    resumeBody: "spill done, 5000 ms",
    sendInterim: "spill done, 5000 ms",
    sendHead: "spill done, 5000 ms",
    sendBody: "spill done, 5000 ms",
    sendEnd: "spill done, 5000 ms",
    switchProtocols: "throws: switchProtocols while spill done",
    becomeRaw: "throws: becomeRaw while spill done",
    abortResponse: "spill done, 5000 ms",
    endUnanswered: "spill done, 5000 ms",
    refuseConnection: "throws: refuseConnection while spill done",
    drain: "spill done, 5000 ms",
    abort: "closed done, abort, 5000 ms",
    drained:
      "spill done, finish, sent HTTP/1.1 200 -|Content-Length: 0||HTTP/1.1 400 -|Content-Length: 4|Connection: close||oops, 5000 ms",
  },
  "closed done": {
    data: "closed done, 2000 ms",
    fin: "closed done, 2000 ms",
    endAhead: "closed done, 2000 ms",
    resetAhead: "closed done, 2000 ms",
    deadline: "closed done, abort, 2000 ms",
    gone: "closed closed, told closed, no deadline",
    expectBody: "closed done, 2000 ms",
    pauseBody: "closed done, 2000 ms",
    resumeBody: "closed done, 2000 ms",
    sendInterim: "closed done, 2000 ms",
    sendHead: "closed done, 2000 ms",
    sendBody: "closed done, 2000 ms",
    sendEnd: "closed done, 2000 ms",
    switchProtocols: "closed done, 2000 ms",
    becomeRaw: "closed done, no deadline",
    abortResponse: "closed done, 2000 ms",
    endUnanswered: "closed done, 2000 ms",
    refuseConnection: "throws: refuseConnection while closed done",
    drain: "closed done, 2000 ms",
    abort: "closed done, abort, 2000 ms",
    drained: "closed done, close, sent HTTP/1.1 200 -|Content-Length: 0||, 2000 ms",
  },
  "raw raw": {
    data: "raw raw, told bytes cdefGET / HTTP/1.1|Host: b||, no deadline",
    fin: "raw raw, told bytes ended, no deadline",
    endAhead: "raw raw, no deadline",
    resetAhead: "raw raw, told bytes broken, no deadline",
    deadline: "raw raw, told bytes timed out, no deadline",
    gone: "closed closed, told bytes closed reset, told closed, no deadline",
    expectBody: "raw raw, no deadline",
    pauseBody: "raw raw, no deadline",
    resumeBody: "raw raw, no deadline",
    sendInterim: "raw raw, no deadline",
    sendHead: "throws: sendHead while raw raw",
    sendBody: "throws: sendBody while raw raw",
    sendEnd: "throws: sendEnd while raw raw",
    switchProtocols: "throws: switchProtocols while raw raw",
    becomeRaw: "throws: becomeRaw while raw raw",
    abortResponse: "throws: abortResponse while raw raw",
    endUnanswered: "throws: endUnanswered while raw raw",
    refuseConnection: "throws: refuseConnection while raw raw",
    drain: "raw raw, no deadline",
    abort: "closed done, abort, no deadline",
    drained:
      "raw raw, told bytes progress 0, sent HTTP/1.1 200 -|Content-Length: 0||HTTP/1.1 101 -|Connection: Upgrade|Upgrade: x||, no deadline",
  },
  "closed closed": {
    data: "throws: data while closed closed",
    fin: "throws: fin while closed closed",
    endAhead: "throws: endAhead while closed closed",
    resetAhead: "throws: endAhead while closed closed",
    deadline: "throws: deadline while closed closed",
    gone: "throws: gone while closed closed",
    expectBody: "closed closed, no deadline",
    pauseBody: "closed closed, no deadline",
    resumeBody: "closed closed, no deadline",
    sendInterim: "closed closed, no deadline",
    sendHead: "closed closed, no deadline",
    sendBody: "closed closed, no deadline",
    sendEnd: "closed closed, no deadline",
    switchProtocols: "throws: switchProtocols while closed closed",
    becomeRaw: "throws: becomeRaw while closed closed",
    abortResponse: "closed closed, no deadline",
    endUnanswered: "closed closed, no deadline",
    refuseConnection: "throws: refuseConnection while closed closed",
    drain: "closed closed, no deadline",
    abort: "closed closed, no deadline",
    drained: "closed closed, no deadline",
  },
};

for (const [name, outcomes] of Object.entries(OUTCOMES)) {
  const state = name as DownstreamStateName;
  test(`${state}: all that can happen`, () => {
    const seen: Record<string, string> = {};
    for (const [what, happens] of Object.entries(EVERYTHING)) seen[what] = outcome(WAYS[state], happens);
    const late: Act = (machine) => {
      owing(machine);
      WAYS[state](machine);
    };
    seen["drained"] = outcome(late, (machine) => machine.take(Infinity));
    assert.deepEqual(seen, outcomes);
  });
}

/** Answers at once, as the target says. */
function answering(settings: ConstructorParameters<typeof ClientMachine>[0] = {}): ClientMachine {
  const machine = new ClientMachine(settings);
  machine.onRequest = (target) => {
    if (target === "refused") machine.answer("no", true, 400);
    else if (target === "/chunked") {
      machine.sendHead(UNKNOWN_LENGTH);
      machine.sendBody("ab");
      machine.sendBody("c");
      machine.sendEnd();
    } else if (target === "/none") {
      machine.sendHead(NO_BODY);
      machine.sendEnd();
    } else if (target === "/close") machine.answer("bye", true);
    else if (target === "/cut") {
      machine.sendHead(4);
      machine.call((stream) => stream.abortResponse());
    } else if (target === "/switch") {
      machine.switchProtocols();
      machine.startTunnel();
    } else machine.answer("ok");
  };
  return machine;
}

interface Conversation {
  readonly name: string;
  /** What the client sends. */
  readonly says: string;
  /** It ends its sending side after that. */
  readonly ends?: true;
  readonly told: readonly string[];
  readonly sent: string;
  readonly calls: readonly string[];
  readonly state: DownstreamStateName;
}

const OK = "HTTP/1.1 200 -\r\nContent-Length: 2\r\n\r\nok";
const REFUSAL = "HTTP/1.1 400 -\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";

const CONVERSATIONS: readonly Conversation[] = [
  {
    name: "a request, and the connection rests",
    says: "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
    told: ["request GET /a"],
    sent: OK,
    calls: [],
    state: "idle idle",
  },
  {
    name: "empty lines, two requests, half of a third, and the client's end",
    says: "\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /b HT",
    ends: true,
    told: ["request GET /a", "request GET /none", "refused incomplete_message"],
    sent: OK + "HTTP/1.1 200 -\r\n\r\n" + REFUSAL,
    calls: ["close"],
    state: "closed done",
  },
  {
    name: "bodies of a length and in chunks, and an answer in chunks",
    says: "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" +
      "POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    told: ["request POST /a", "body hello", "end", "request POST /chunked", "body abcde", "end"],
    sent: OK + "HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
    calls: [],
    state: "idle idle",
  },
  {
    name: "the client asks for the end: no lingering, for it sends nothing more",
    says: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    told: ["request GET /a"],
    sent: OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    calls: ["close"],
    state: "closed done",
  },
  {
    name: "the handler asks for the end: what comes after it is thrown away",
    says: "GET /close HTTP/1.1\r\nHost: a\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n",
    told: ["request GET /close"],
    sent: "HTTP/1.1 200 -\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbye",
    calls: ["finish"],
    state: "spill done",
  },
  {
    name: "the same, and the client ends",
    says: "GET /close HTTP/1.1\r\nHost: a\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n",
    ends: true,
    told: ["request GET /close"],
    sent: "HTTP/1.1 200 -\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbye",
    calls: ["finish", "close"],
    state: "closed done",
  },
  {
    name: "an answer that cannot be completed",
    says: "GET /cut HTTP/1.1\r\nHost: a\r\n\r\n",
    told: ["request GET /cut"],
    sent: "HTTP/1.1 200 -\r\nContent-Length: 4\r\n\r\n",
    calls: ["finish"],
    state: "spill done",
  },
  {
    name: "HTTP/1.0 with keep-alive, and an answer whose end only the connection's can tell",
    says:
      "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    told: ["request GET /a", "request GET /chunked"],
    sent: OK.replace("\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n") +
      "HTTP/1.1 200 -\r\nConnection: close\r\n\r\nabc",
    calls: ["finish"],
    state: "spill done",
  },
  {
    name: "a body that is no body",
    says: "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naX",
    told: ["request POST /a", "body a", "fault bad_chunk"],
    sent: REFUSAL,
    calls: ["finish"],
    state: "spill done",
  },
  {
    name: "two lengths: refused, and its body is not the next request",
    says:
      "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\nContent-Length: 2\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n",
    told: ["refused bad_framing"],
    sent: REFUSAL,
    calls: ["finish"],
    state: "spill done",
  },
  {
    name: "no host: refused",
    says: "GET /a HTTP/1.1\r\n\r\n",
    told: ["refused bad_host"],
    sent: REFUSAL,
    calls: ["finish"],
    state: "spill done",
  },
  {
    name: "a body that ends early",
    says: "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhell",
    ends: true,
    told: ["request POST /a", "body hell", "fault incomplete_message"],
    sent: REFUSAL,
    calls: ["close"],
    state: "closed done",
  },
  {
    name: "a switch of protocols, and bytes of the tunnel right behind it",
    says: "GET /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nsecret",
    ends: true,
    told: ["request GET /switch", "bytes secret", "bytes ended"],
    sent: "HTTP/1.1 101 -\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    calls: [],
    state: "raw raw",
  },
];

/** The client sends it in these pieces, and is answered at once. */
function conversed({ ends }: Conversation, pieces: readonly string[]): ClientMachine {
  const machine = answering();
  for (const piece of pieces) machine.say(piece);
  if (ends === true) machine.connection.ended();
  return machine;
}

for (const conversation of CONVERSATIONS) {
  test(`${conversation.name}: whole, byte by byte and at every split`, () => {
    const { says, told, sent, calls, state } = conversation;
    const check = (how: string, pieces: readonly string[]): void => {
      const { socket, connection, told: heard } = conversed(conversation, pieces);
      const seen = { told: heard, sent: socket.written, calls: socket.calls, state: connection.state.name };
      assert.deepEqual(seen, { told, sent, calls, state }, how);
    };
    check("whole", [says]);
    check("byte by byte", [...says]);
    for (let at = 1; at < says.length; at++) check(`split at ${at}`, [says.slice(0, at), says.slice(at)]);
  });
}

/** What takes time, or more than one step. */
interface Scene {
  readonly name: string;
  readonly settings?: Parameters<typeof answering>[0];
  readonly play: Act;
  readonly told: readonly string[];
  readonly sent: string;
  readonly calls: readonly string[];
  readonly state: DownstreamStateName;
}

const GET = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n";

const SCENES: readonly Scene[] = [
  {
    name: "a client that never asks is left in order",
    play: ({ clock }) => clock.advance(1100),
    told: [],
    sent: "",
    calls: ["close"],
    state: "closed done",
  },
  {
    name: "a head that takes too long",
    play: (machine) => {
      machine.say("GET / ");
      machine.clock.advance(900);
      machine.say("HTTP");
      machine.clock.advance(200);
    },
    told: ["refused request_timeout"],
    sent: "",
    calls: [],
    state: "refused due",
  },
  {
    name: "after an answer the time of keep-alive counts",
    play: (machine) => {
      machine.say(GET);
      machine.answer("ok");
      machine.clock.advance(3900);
      assert.equal(machine.connection.state.name, "idle idle");
      machine.clock.advance(200);
    },
    told: ["request GET /a"],
    sent: OK,
    calls: ["close"],
    state: "closed done",
  },
  {
    name: "draining: the answer under way announces the end",
    play: (machine) => {
      machine.say(GET);
      CALLS.drain(machine);
      machine.answer("ok");
    },
    told: ["request GET /a"],
    sent: OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    calls: ["finish"],
    state: "spill done",
  },
  {
    name: "draining in the middle of a handshake: one more request, and its answer announces the end",
    play: (machine) => {
      machine.say(GET);
      CALLS.drain(machine);
      machine.call((stream) => stream.peer.keepForHandshake());
      machine.answer("ok");
      assert.equal(machine.connection.state.name, "idle idle");
      machine.say(GET);
      machine.answer("ok");
    },
    told: ["request GET /a", "request GET /a"],
    sent: OK + OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    calls: ["finish"],
    state: "spill done",
  },
  {
    name: "a client that has been answered for the last time is listened to for five seconds of silence",
    play: (machine) => {
      WAYS["spill done"](machine);
      machine.clock.advance(4900);
      machine.say("more");
      machine.clock.advance(4900);
      assert.equal(machine.connection.state.name, "spill done");
      machine.clock.advance(200);
    },
    told: ["refused bad_request"],
    sent: "HTTP/1.1 400 -\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops",
    calls: ["finish", "close"],
    state: "closed done",
  },
  {
    name: "and for thirty seconds in all",
    play: (machine) => {
      WAYS["spill done"](machine);
      for (let i = 0; i < 29; i++) {
        machine.clock.advance(1000);
        machine.say("more");
      }
      assert.equal(machine.connection.state.name, "spill done");
      machine.clock.advance(1100);
    },
    told: ["refused bad_request"],
    sent: "HTTP/1.1 400 -\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops",
    calls: ["finish", "close"],
    state: "closed done",
  },
  {
    name: "closing takes no longer than a pause within a body",
    play: (machine) => {
      machine.connection.ended();
      machine.clock.advance(2100);
    },
    told: [],
    sent: "",
    calls: ["close", "abort"],
    state: "closed done",
  },
  {
    name: "a paused body: its deadline rests, and the client's end waits for the bytes before it",
    play: (machine) => {
      machine.say(POST + "ab");
      CALLS.pauseBody(machine);
      machine.say("cd");
      machine.connection.ended();
      machine.clock.advance(10_000);
      machine.call((stream) => stream.resumeBody());
    },
    told: ["request POST /a", "body abcd", "fault incomplete_message"],
    sent: "",
    calls: ["pause", "resume"],
    state: "refused due",
  },
  {
    name: "a paused body, all of it there: the end is told when it is resumed",
    play: (machine) => {
      machine.say(POST + "ab");
      CALLS.pauseBody(machine);
      machine.say("cdef");
      machine.call((stream) => stream.resumeBody());
    },
    told: ["request POST /a", "body abcdef", "end"],
    sent: "",
    calls: ["pause", "resume"],
    state: "whole due",
  },
  {
    name: "a body in which the client pauses",
    play: (machine) => {
      machine.say(POST);
      machine.clock.advance(1900);
      machine.say("ab");
      machine.clock.advance(1900);
      machine.say("c");
      machine.clock.advance(2100);
    },
    told: ["request POST /a", "body abc", "timed out read"],
    sent: "",
    calls: [],
    state: "body due",
  },
  {
    name: "an early answer, all of it sent before the client's end is read",
    play: (machine) => {
      machine.say(POST + "ab");
      CALLS.pauseBody(machine);
      machine.connection.ended();
      machine.answer("ok");
    },
    told: ["request POST /a", "body ab"],
    sent: OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    calls: ["pause", "close"],
    state: "closed done",
  },
  {
    name: "an answer that the client does not take",
    play: (machine) => {
      machine.say(GET);
      machine.socket.room = 10;
      machine.answer("ok");
      machine.clock.advance(1900);
      machine.take(10);
      machine.clock.advance(1900);
      assert.deepEqual(machine.socket.calls, []);
      machine.clock.advance(200);
    },
    told: ["request GET /a"],
    sent: OK.slice(0, 20),
    calls: ["abort"],
    state: "closed done",
  },
  {
    name:
      "a request that came before the end of the client is answered; it has left where that counts as leaving",
    play: (machine) => {
      machine.say(GET + GET);
      machine.connection.ended();
      machine.answer("ok");
      machine.answer("ok", true);
    },
    told: ["request GET /a", "ended", "request GET /a"],
    sent: OK + OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    calls: ["close"],
    state: "closed done",
  },
  {
    name: "where the end of the client counts as leaving, what it has pipelined is not answered",
    settings: { servesHalfClosed: false },
    play: (machine) => {
      machine.say(GET + GET);
      machine.connection.ended();
      machine.answer("ok");
    },
    told: ["request GET /a", "ended"],
    sent: OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
    calls: ["close"],
    state: "closed done",
  },
  {
    name: "pipelined requests beyond 64 KiB wait in the kernel",
    play: (machine) => {
      machine.say(GET);
      machine.say(GET + "GET /" + "a".repeat(70_000));
      machine.answer("ok");
      assert.deepEqual(machine.socket.calls, ["pause", "resume", "pause"]);
      machine.answer("ok");
    },
    told: ["request GET /a", "request GET /a", "refused target_too_long"],
    sent: OK + OK,
    calls: ["pause", "resume", "pause", "resume"],
    state: "refused due",
  },
  {
    name: "who does not take the answers is given no more of them",
    play: (machine) => {
      machine.socket.room = 0;
      machine.say(GET);
      machine.answer("x".repeat(300_000));
      machine.say(GET);
      assert.deepEqual(machine.told, ["request GET /a"]);
      machine.socket.calls.push("room");
      machine.take(Infinity);
      machine.socket.writes.length = 0;
      machine.answer("ok");
    },
    told: ["request GET /a", "request GET /a"],
    sent: OK,
    calls: ["pause", "room", "resume"],
    state: "idle idle",
  },
  {
    name: "a rate: slower than that is told as such",
    play: (machine) => {
      machine.leastRate = 10;
      machine.say("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 600\r\n\r\n");
      for (let i = 0; i < 3; i++) {
        machine.clock.advance(700);
        machine.say("x");
      }
    },
    told: ["request POST /a", "body xx", "timed out read slow", "body x"],
    sent: "",
    calls: [],
    state: "body due",
  },
  {
    name: "a refusal that takes its time: nothing that comes meanwhile is a request",
    play: (machine) => {
      machine.say("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n" + GET);
      machine.say(GET);
      machine.answer("no", true, 400);
    },
    told: ["refused bad_framing"],
    sent: REFUSAL,
    calls: ["finish"],
    state: "spill done",
  },
  {
    name: "a refusal that is begun at once and takes its time to end",
    play: (machine) => {
      machine.onRequest = () => machine.sendHead(2, true, 400);
      machine.say("GET /a HTTP/1.1\r\n\r\n" + GET);
      machine.say(GET);
      machine.sendBody("no");
      machine.sendEnd();
    },
    told: ["refused bad_host"],
    sent: REFUSAL,
    calls: ["finish"],
    state: "spill done",
  },
  {
    name: "nobody is at work on a body that turns out to be none",
    play: (machine) => {
      machine.say("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
      machine.connection.events = null;
      machine.say("no size\r\n");
    },
    told: ["request POST /a"],
    sent: "",
    calls: ["finish"],
    state: "spill done",
  },
];

function played({ settings, play }: Scene): ClientMachine {
  const machine = new ClientMachine(settings);
  play(machine);
  return machine;
}

for (const scene of SCENES) {
  test(scene.name, () => {
    const { told, socket, connection } = played(scene);
    const seen = { told, sent: socket.written, calls: socket.calls, state: connection.state.name };
    const { told: words, sent, calls, state } = scene;
    assert.deepEqual(seen, { told: words, sent, calls, state });
  });
}

/** What a client may send at any time, sense or not. */
const SAYINGS = [GET, POST, "abc", "defGET", "\r\n", "GET / HTTP/1.0\r\n\r\n", "no\r\n\r\n", "POST / HT"];

/** Whatever happens, in whatever order, nothing comes where the table says that it never does. */
test("any order of what can happen: never what the table says that never happens", () => {
  const calls = Object.entries(CALLS);
  for (const seed of walkSeeds(400)) {
    const chance = new Random(seed);
    const random = (below: number): number => chance.next(below);
    const machine = new ClientMachine({ servesHalfClosed: random(2) === 0 });
    const { connection, socket, clock } = machine;
    const ended = (): boolean => socket.calls.includes("close") || socket.calls.includes("abort");
    let finOver = false;
    for (let step = 0; step < 40 && connection.state.name !== "closed closed"; step++) {
      const kind = random(10);
      if (kind < 4) {
        if (!ended() && !finOver) machine.say(SAYINGS[random(SAYINGS.length)] as string);
      } else if (kind < 8) {
        const [name, call] = calls[random(calls.length)] as (typeof calls)[number];
        if (
          name === "abort" || DOWNSTREAM_TABLE[connection.state.name][name as DownstreamEvent] !== "misuse"
        ) {
          call(machine);
        }
      } else if (kind === 8) {
        const rare = random(6);
        if (rare === 0 && !ended() && !finOver) {
          finOver = true;
          connection.ended();
        } else if (rare === 1 && !ended()) connection.endAhead(random(2) === 0);
        else if (rare === 2) machine.closed();
        else if (rare === 3) socket.room = random(2) === 0 ? 0 : 100;
        else clock.advance(random(3000));
      } else {
        machine.take(random(3) === 0 ? Infinity : 50);
      }
    }
    assert.ok(connection.state.name in DOWNSTREAM_TABLE);
  }
});

test("every cell of the table is reached, or said never to be", () => {
  for (const way of Object.values(WAYS)) {
    for (const happens of Object.values(EVERYTHING)) outcome(way, happens);
    outcome((machine) => (owing(machine), way(machine)), (machine) => machine.take(Infinity));
  }
  for (const conversation of CONVERSATIONS) conversed(conversation, [...conversation.says]);
  for (const scene of SCENES) played(scene);
  const missed: string[] = [];
  for (const [name, cells] of Object.entries(DOWNSTREAM_TABLE)) {
    for (const [event, cell] of Object.entries(cells)) {
      if (cell !== "never" && !taken.has(`${event} while ${name}`)) missed.push(`${event} while ${name}`);
    }
  }
  assert.deepEqual(missed, []);
});
