/**
 * A connection to an endpoint: these bytes arrive, this happens, those must leave. First everything that can happen in each
 * state; then responses whole, byte by byte and at every split; last that no cell of the table is left out.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  UPSTREAM_STATES,
  UPSTREAM_TABLE,
  type UpstreamEvent,
  type UpstreamStateName,
} from "../../../src/conn/upstream_states.ts";
import { UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { Random } from "../../fuzz/support/random.ts";
import { BODY_IDLE_MS, EndpointMachine, FIRST_BYTE_MS } from "../../support/endpoint_machine.ts";
import { ENDPOINT_CALLS, ENDPOINT_HAPPENINGS, ENDPOINT_WAYS } from "../../support/endpoint_scenes.ts";
import { watchSteps } from "../../support/watched_steps.ts";
import { walkSeeds } from "../../support/seeds.ts";

type Act = (machine: EndpointMachine) => void;

/** Before anything else, so that every step of this file counts. */
const taken = watchSteps<UpstreamStateName, UpstreamEvent>(UPSTREAM_STATES);

/** What comes of it: the state, calls of the socket, what the user is told, what is sent ("|" for CRLF), the deadline. */
function outcome(before: Act, happens: Act): string {
  const machine = new EndpointMachine();
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

/** The socket takes nothing until `drained`. */
const CLOGGED: Act = (machine) => machine.socket.room = 0;

const EVERYTHING: Readonly<Record<string, Act>> = { ...ENDPOINT_HAPPENINGS, ...ENDPOINT_CALLS };

const OUTCOMES: Readonly<Record<UpstreamStateName, Readonly<Record<string, string>>>> = {
  "idle idle": {
    data: "closed closed, abort, told idle lost 0, 10000 ms",
    interim: "closed closed, abort, told idle lost 0, 10000 ms",
    fin: "closed closed, abort, told idle lost 0, 10000 ms",
    endAhead: "idle idle, 10000 ms",
    resetAhead: "idle idle, 10000 ms",
    deadline: "closed closed, close, told idle lost -1, 5000 ms",
    gone: "closed closed, told idle lost 0, no deadline",
    sendRequest: "head body, sent GET / HTTP/1.1|Host: b|Content-Length: 6||, no deadline",
    sendWholeRequest: "head sent, sent GET / HTTP/1.1|Host: b||, 1000 ms",
    expectContinue: "throws: expectContinue while idle idle",
    sendBody: "throws: sendBody while idle idle",
    sendEnd: "throws: sendEnd while idle idle",
    pauseBody: "idle idle, 10000 ms",
    resumeBody: "idle idle, 10000 ms",
    becomeRaw: "raw raw, no deadline",
    rest: "idle idle, 10000 ms",
    retire: "closed closed, close, 5000 ms",
    drop: "closed closed, abort, 10000 ms",
    drained: "idle idle, sent GET / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: x||, 10000 ms",
  },
  "head body": {
    data: "closed closed, abort, told fault bad_response, no deadline",
    interim: "head body, told interim 103, no deadline",
    fin: "closed closed, abort, told gone finished, no deadline",
    endAhead: "head body, no deadline",
    resetAhead: "head body, no deadline",
    deadline: "head body, told timed out head, no deadline",
    gone: "closed closed, told gone reset, no deadline",
    sendRequest: "throws: sendRequest while head body",
    sendWholeRequest: "throws: sendWholeRequest while head body",
    expectContinue: "head body, 1000 ms",
    sendBody: "head body, sent cdef, no deadline",
    sendEnd: "head sent, 1000 ms",
    pauseBody: "head body, pause, no deadline",
    resumeBody: "head body, pause, resume, 1000 ms",
    becomeRaw: "throws: becomeRaw while head body",
    rest: "throws: rest while head body",
    retire: "closed closed, close, 5000 ms",
    drop: "closed closed, abort, no deadline",
    drained:
      "head body, told writable, sent GET / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: x|Content-Length: 6||ab, no deadline",
  },
  "head sent": {
    data: "closed closed, abort, told fault bad_response, 1000 ms",
    interim: "head sent, told interim 103, 1000 ms",
    fin: "closed closed, abort, told gone finished, 1000 ms",
    endAhead: "head sent, 1000 ms",
    resetAhead: "head sent, 1000 ms",
    deadline: "head sent, told timed out head, 1000 ms",
    gone: "closed closed, told gone reset, no deadline",
    sendRequest: "throws: sendRequest while head sent",
    sendWholeRequest: "throws: sendWholeRequest while head sent",
    expectContinue: "head sent, 1000 ms",
    sendBody: "throws: sendBody while head sent",
    sendEnd: "throws: sendEnd while head sent",
    pauseBody: "head sent, pause, no deadline",
    resumeBody: "head sent, pause, resume, 1000 ms",
    becomeRaw: "throws: becomeRaw while head sent",
    rest: "throws: rest while head sent",
    retire: "closed closed, close, 5000 ms",
    drop: "closed closed, abort, 1000 ms",
    drained:
      "head sent, told writable, sent GET / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: x||, 1000 ms",
  },
  "body body": {
    data: "done body, told end, no deadline",
    interim: "done body, told end, no deadline",
    fin: "closed closed, abort, told fault incomplete_message, 2000 ms",
    endAhead: "body body, 2000 ms",
    resetAhead: "body body, 2000 ms",
    deadline: "body body, told timed out read, 2000 ms",
    gone: "closed closed, told gone reset, no deadline",
    sendRequest: "throws: sendRequest while body body",
    sendWholeRequest: "throws: sendWholeRequest while body body",
    expectContinue: "body body, 2000 ms",
    sendBody: "body body, sent cdef, 2000 ms",
    sendEnd: "body sent, 2000 ms",
    pauseBody: "body body, pause, no deadline",
    resumeBody: "body body, pause, resume, 2000 ms",
    becomeRaw: "throws: becomeRaw while body body",
    rest: "throws: rest while body body",
    retire: "closed closed, close, 5000 ms",
    drop: "closed closed, abort, 2000 ms",
    drained:
      "body body, told writable, sent GET / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: x|Content-Length: 6||ab, 2000 ms",
  },
  "body sent": {
    data: "done sent, told end, no deadline",
    interim: "done sent, told end, no deadline",
    fin: "closed closed, abort, told fault incomplete_message, 2000 ms",
    endAhead: "body sent, 2000 ms",
    resetAhead: "body sent, 2000 ms",
    deadline: "body sent, told timed out read, 2000 ms",
    gone: "closed closed, told gone reset, no deadline",
    sendRequest: "throws: sendRequest while body sent",
    sendWholeRequest: "throws: sendWholeRequest while body sent",
    expectContinue: "body sent, 2000 ms",
    sendBody: "throws: sendBody while body sent",
    sendEnd: "throws: sendEnd while body sent",
    pauseBody: "body sent, pause, no deadline",
    resumeBody: "body sent, pause, resume, 2000 ms",
    becomeRaw: "throws: becomeRaw while body sent",
    rest: "throws: rest while body sent",
    retire: "closed closed, close, 5000 ms",
    drop: "closed closed, abort, 2000 ms",
    drained:
      "body sent, told writable, sent GET / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: x||, 2000 ms",
  },
  "done body": {
    data: "done body, no deadline",
    interim: "done body, no deadline",
    fin: "done body, no deadline",
    endAhead: "done body, no deadline",
    resetAhead: "done body, no deadline",
    deadline: "done body, told timed out read, no deadline",
    gone: "closed closed, told gone reset, no deadline",
    sendRequest: "throws: sendRequest while done body",
    sendWholeRequest: "throws: sendWholeRequest while done body",
    expectContinue: "done body, no deadline",
    sendBody: "done body, sent cdef, 2000 ms",
    sendEnd: "done sent, 2000 ms",
    pauseBody: "done body, no deadline",
    resumeBody: "done body, no deadline",
    becomeRaw: "throws: becomeRaw while done body",
    rest: "throws: rest while done body",
    retire: "closed closed, close, 5000 ms",
    drop: "closed closed, abort, no deadline",
    drained:
      "done body, told writable, sent GET / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: x|Content-Length: 6||ab, 2000 ms",
  },
  "done sent": {
    data: "done sent, no deadline",
    interim: "done sent, no deadline",
    fin: "done sent, no deadline",
    endAhead: "done sent, no deadline",
    resetAhead: "done sent, no deadline",
    deadline: "done sent, told timed out read, no deadline",
    gone: "closed closed, told gone reset, no deadline",
    sendRequest: "throws: sendRequest while done sent",
    sendWholeRequest: "throws: sendWholeRequest while done sent",
    expectContinue: "done sent, no deadline",
    sendBody: "throws: sendBody while done sent",
    sendEnd: "throws: sendEnd while done sent",
    pauseBody: "done sent, no deadline",
    resumeBody: "done sent, no deadline",
    becomeRaw: "throws: becomeRaw while done sent",
    rest: "idle idle, 10000 ms",
    retire: "closed closed, close, 5000 ms",
    drop: "closed closed, abort, no deadline",
    drained:
      "done sent, told writable, sent GET / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: x||, 2000 ms",
  },
  "switched body": {
    data: "switched body, no deadline",
    interim: "switched body, no deadline",
    fin: "closed closed, abort, told gone finished, no deadline",
    endAhead: "switched body, no deadline",
    resetAhead: "switched body, no deadline",
    deadline: "switched body, told timed out read, no deadline",
    gone: "closed closed, told gone reset, no deadline",
    sendRequest: "throws: sendRequest while switched body",
    sendWholeRequest: "throws: sendWholeRequest while switched body",
    expectContinue: "switched body, no deadline",
    sendBody: "switched body, sent cdef, 2000 ms",
    sendEnd: "switched sent, 2000 ms",
    pauseBody: "switched body, no deadline",
    resumeBody: "switched body, no deadline",
    becomeRaw: "throws: becomeRaw while switched body",
    rest: "throws: rest while switched body",
    retire: "closed closed, close, 5000 ms",
    drop: "closed closed, abort, no deadline",
    drained:
      "switched body, told writable, sent GET / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: x|Content-Length: 6||ab, 2000 ms",
  },
  "switched sent": {
    data: "switched sent, no deadline",
    interim: "switched sent, no deadline",
    fin: "closed closed, abort, told gone finished, no deadline",
    endAhead: "switched sent, no deadline",
    resetAhead: "switched sent, no deadline",
    deadline: "switched sent, told timed out read, no deadline",
    gone: "closed closed, told gone reset, no deadline",
    sendRequest: "throws: sendRequest while switched sent",
    sendWholeRequest: "throws: sendWholeRequest while switched sent",
    expectContinue: "switched sent, no deadline",
    sendBody: "throws: sendBody while switched sent",
    sendEnd: "throws: sendEnd while switched sent",
    pauseBody: "switched sent, no deadline",
    resumeBody: "switched sent, no deadline",
    becomeRaw: "raw raw, no deadline",
    rest: "throws: rest while switched sent",
    retire: "closed closed, close, 5000 ms",
    drop: "closed closed, abort, no deadline",
    drained:
      "switched sent, told writable, sent GET / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: x||, 2000 ms",
  },
  "raw raw": {
    data: "raw raw, told bytes cdHTTP/1.1 200 OK|Content-Length: 1||x, no deadline",
    interim: "raw raw, told bytes HTTP/1.1 103 -||, no deadline",
    fin: "raw raw, told bytes ended, no deadline",
    endAhead: "raw raw, no deadline",
    resetAhead: "raw raw, told bytes broken, no deadline",
    deadline: "raw raw, told bytes timed out, no deadline",
    gone: "closed closed, told bytes closed reset, no deadline",
    sendRequest: "throws: sendRequest while raw raw",
    sendWholeRequest: "throws: sendWholeRequest while raw raw",
    expectContinue: "raw raw, no deadline",
    sendBody: "throws: sendBody while raw raw",
    sendEnd: "throws: sendEnd while raw raw",
    pauseBody: "raw raw, no deadline",
    resumeBody: "raw raw, no deadline",
    becomeRaw: "throws: becomeRaw while raw raw",
    rest: "throws: rest while raw raw",
    retire: "closed closed, close, 5000 ms",
    drop: "closed closed, abort, no deadline",
    drained:
      "raw raw, told bytes progress 0, sent GET / HTTP/1.1|Host: b|Connection: Upgrade|Upgrade: x||, no deadline",
  },
  "closed closed": {
    data: "closed closed, 5000 ms",
    interim: "closed closed, 5000 ms",
    fin: "closed closed, 5000 ms",
    endAhead: "closed closed, 5000 ms",
    resetAhead: "closed closed, 5000 ms",
    deadline: "closed closed, abort, 5000 ms",
    gone: "closed closed, no deadline",
    sendRequest: "throws: sendRequest while closed closed",
    sendWholeRequest: "throws: sendWholeRequest while closed closed",
    expectContinue: "closed closed, 5000 ms",
    sendBody: "closed closed, 5000 ms",
    sendEnd: "closed closed, 5000 ms",
    pauseBody: "closed closed, 5000 ms",
    resumeBody: "closed closed, 5000 ms",
    becomeRaw: "throws: becomeRaw while closed closed",
    rest: "throws: rest while closed closed",
    retire: "closed closed, 5000 ms",
    drop: "closed closed, abort, 5000 ms",
    drained: "closed closed, 5000 ms",
  },
};

for (const [name, outcomes] of Object.entries(OUTCOMES)) {
  const state = name as UpstreamStateName;
  test(`${state}: all that can happen to a connection to an endpoint`, () => {
    const seen: Record<string, string> = {};
    for (const [what, happens] of Object.entries(EVERYTHING)) {
      seen[what] = outcome(ENDPOINT_WAYS[state], happens);
    }
    const clogged: Act = (machine) => {
      CLOGGED(machine);
      ENDPOINT_WAYS[state](machine);
    };
    seen["drained"] = outcome(clogged, (machine) => machine.take(Infinity));
    assert.deepEqual(seen, outcomes);
  });
}

interface Answer {
  readonly name: string;
  readonly method?: string;
  readonly upgrade?: string;
  readonly says: string;
  /** The endpoint ends its sending side after that. */
  readonly ends?: true;
  readonly told: readonly string[];
  readonly calls: readonly string[];
  readonly state: UpstreamStateName;
  readonly mayServeAgain?: true;
}

const ANSWERS: readonly Answer[] = [
  {
    name: "a response of a length",
    says: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    told: ["head 200 5", "body hello", "end"],
    calls: [],
    state: "done sent",
    mayServeAgain: true,
  },
  {
    name: "interim responses, and one in chunks",
    says:
      "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
      "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    told: ["interim 100", "interim 103", "head 200 -1", "body hello", "end"],
    calls: [],
    state: "done sent",
    mayServeAgain: true,
  },
  {
    name: "an answer to HEAD has no body",
    method: "HEAD",
    says: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    told: ["head 200 -2", "end"],
    calls: [],
    state: "done sent",
    mayServeAgain: true,
  },
  {
    name: "a response that asks for the end",
    says: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    told: ["head 200 0", "end"],
    calls: [],
    state: "done sent",
  },
  {
    name: "a response that ends with the connection",
    says: "HTTP/1.1 200 OK\r\n\r\nhello",
    ends: true,
    told: ["head 200 -1", "body hello", "end"],
    calls: [],
    state: "done sent",
  },
  {
    name: "bytes after a response: it serves nobody any more",
    says: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    told: ["head 200 2", "body ok", "end"],
    calls: [],
    state: "done sent",
  },
  {
    name: "a response that ends early",
    says: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
    ends: true,
    told: ["head 200 5", "body hell", "fault incomplete_message"],
    calls: ["abort"],
    state: "closed closed",
  },
  {
    name: "a head that ends early",
    says: "HTTP/1.1 200 O",
    ends: true,
    told: ["fault incomplete_message"],
    calls: ["abort"],
    state: "closed closed",
  },
  {
    name: "an end without an answer",
    says: "HTTP/1.1 103 -\r\n\r\n",
    ends: true,
    told: ["interim 103", "gone finished"],
    calls: ["abort"],
    state: "closed closed",
  },
  {
    name: "two lengths",
    says: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    told: ["fault bad_framing"],
    calls: ["abort"],
    state: "closed closed",
  },
  {
    name: "interim responses without end",
    says: "HTTP/1.1 103 -\r\n\r\n".repeat(65),
    told: [...Array.from({ length: 64 }, () => "interim 103"), "fault bad_response"],
    calls: ["abort"],
    state: "closed closed",
  },
  {
    name: "a switch, and bytes of the tunnel right behind it",
    upgrade: "x",
    says: "HTTP/1.1 101 -\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nsecret",
    ends: true,
    told: ["switched", "bytes secret", "bytes ended"],
    calls: [],
    state: "raw raw",
  },
  {
    name: "a switch that nobody has asked for",
    says: "HTTP/1.1 101 -\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    told: ["switched unasked"],
    calls: [],
    state: "switched sent",
  },
];

/** The endpoint answers in these pieces; a switch that was asked for becomes a tunnel. */
function answeredBy({ method, upgrade, ends }: Answer, pieces: readonly string[]): EndpointMachine {
  const machine = new EndpointMachine();
  machine.onTold = (what) => {
    if (what === "switched") machine.startTunnel();
  };
  machine.sendRequest(undefined, upgrade, method);
  for (const piece of pieces) machine.say(piece);
  if (ends === true) machine.connection.ended();
  return machine;
}

for (const answer of ANSWERS) {
  test(`${answer.name}: whole, byte by byte and at every split`, () => {
    const { says, told, calls, state } = answer;
    const check = (how: string, pieces: readonly string[]): void => {
      const { socket, connection, told: heard } = answeredBy(answer, pieces);
      assert.equal(connection.mayServeAgain, answer.mayServeAgain === true, how);
      const seen = { told: heard, calls: socket.calls, state: connection.state.name };
      assert.deepEqual(seen, { told, calls, state }, how);
    };
    check("whole", [says]);
    check("byte by byte", [...says]);
    for (let at = 1; at < says.length; at++) check(`split at ${at}`, [says.slice(0, at), says.slice(at)]);
  });
}

/** What takes time, or more than one step. */
interface Scene {
  readonly name: string;
  readonly play: Act;
  readonly told: readonly string[];
  readonly calls: readonly string[];
  readonly state: UpstreamStateName;
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";

const SCENES: readonly Scene[] = [
  {
    name: "a request in chunks: what leaves",
    play: (machine) => {
      machine.sendRequest(UNKNOWN_LENGTH, "", "POST");
      machine.sendBody("hello");
      machine.sendEnd();
      const body = "5\r\nhello\r\n0\r\n\r\n";
      const head = "POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n";
      assert.equal(machine.socket.written, head + body);
    },
    told: [],
    calls: [],
    state: "head sent",
  },
  {
    name: "the first byte takes too long; it counts from the end of the request",
    play: (machine) => {
      machine.sendRequest(2);
      machine.clock.advance(10 * FIRST_BYTE_MS);
      machine.sendBody("ab");
      machine.clock.advance(10 * FIRST_BYTE_MS);
      machine.sendEnd();
      machine.clock.advance(FIRST_BYTE_MS - 100);
      assert.deepEqual(machine.told, []);
      machine.clock.advance(200);
    },
    told: ["timed out head"],
    calls: [],
    state: "head sent",
  },
  {
    name: "an endpoint that waits with its 100 is late, too",
    play: (machine) => {
      machine.sendRequest(2);
      machine.call((stream) => stream.expectContinue());
      machine.clock.advance(FIRST_BYTE_MS + 100);
    },
    told: ["timed out head"],
    calls: [],
    state: "head body",
  },
  {
    name: "after a 100 the client is awaited, not the endpoint",
    play: (machine) => {
      machine.sendRequest(2);
      machine.call((stream) => stream.expectContinue());
      machine.say("HTTP/1.1 100 C\r\n\r\n");
      machine.clock.advance(10 * FIRST_BYTE_MS);
    },
    told: ["interim 100"],
    calls: [],
    state: "head body",
  },
  {
    name: "a pause within the response; none while we are the ones who do not read",
    play: (machine) => {
      machine.sendRequest();
      machine.say(OK + "a");
      machine.call((stream) => stream.pauseBody());
      machine.clock.advance(10 * BODY_IDLE_MS);
      machine.call((stream) => stream.resumeBody());
      machine.clock.advance(BODY_IDLE_MS - 100);
      machine.say("b");
      machine.clock.advance(BODY_IDLE_MS + 100);
    },
    told: ["head 200 4", "body ab", "timed out read"],
    calls: ["pause", "resume"],
    state: "body sent",
  },
  {
    name: "an endpoint that does not take the request",
    play: (machine) => {
      machine.socket.room = 10;
      machine.sendRequest();
      machine.take(5);
      machine.clock.advance(BODY_IDLE_MS + 100);
    },
    told: ["writable", "timed out write"],
    calls: [],
    state: "head sent",
  },
  {
    name: "the end of a response that comes while paused ends the pause",
    play: (machine) => {
      machine.sendRequest();
      machine.say(OK + "ab");
      machine.call((stream) => stream.pauseBody());
      machine.say("cd");
    },
    told: ["head 200 4", "body abcd", "end"],
    calls: ["pause", "resume"],
    state: "done sent",
  },
  {
    name: "it rests, and serves again; what is known of the last request is forgotten",
    play: (machine) => {
      ENDPOINT_WAYS["idle idle"](machine);
      const { connection } = machine;
      assert.deepEqual([connection.responseBegun, connection.anyResponse, connection.requestSeen], [
        false,
        false,
        false,
      ]);
      assert.equal(connection.freeStreams, 1);
      machine.sendRequest();
      assert.deepEqual([connection.reused, connection.uses, connection.freeStreams], [true, 2, 0]);
      machine.say(OK + "abcd");
      assert.equal(connection.mayServeAgain, true);
    },
    told: ["head 200 4", "body abcd", "end", "head 200 4", "body abcd", "end"],
    calls: [],
    state: "done sent",
  },
  {
    name: "a connection that has rested long enough ends",
    play: (machine) => {
      ENDPOINT_WAYS["idle idle"](machine);
      machine.clock.advance(10_100);
      machine.clock.advance(5100);
    },
    told: ["head 200 4", "body abcd", "end", "idle lost -1"],
    calls: ["close", "abort"],
    state: "closed closed",
  },
  {
    name: "it is given back, and asked again, while the end of its response is being told",
    play: (machine) => {
      machine.onTold = (what) => {
        if (what !== "end") return;
        machine.onTold = (again) => {
          if (again === "end") machine.rest();
        };
        machine.rest();
        machine.sendRequest();
      };
      machine.sendRequest();
      machine.say(OK + "abcd");
      machine.say(OK + "abcd");
    },
    told: ["head 200 4", "body abcd", "end", "head 200 4", "body abcd", "end"],
    calls: [],
    state: "idle idle",
  },
  {
    name: "what is left is sent before the end",
    play: (machine) => {
      machine.socket.room = 10;
      machine.sendRequest();
      machine.call(() => machine.connection.retire());
      assert.deepEqual(machine.socket.calls, []);
      machine.take(5);
      machine.take(Infinity);
    },
    told: [],
    calls: ["close"],
    state: "closed closed",
  },
  {
    name: "an answer before the end of the request: it serves nobody any more",
    play: (machine) => {
      machine.sendRequest(6);
      machine.sendBody("ab");
      machine.say(OK + "abcd");
      assert.equal(machine.connection.mayServeAgain, false);
      machine.call((stream) => stream.discard(true));
    },
    told: ["head 200 4", "body abcd", "end"],
    calls: ["abort"],
    state: "closed closed",
  },
  {
    name: "a complete exchange that is not followed by another one ends in order",
    play: (machine) => {
      ENDPOINT_WAYS["done sent"](machine);
      machine.call((stream) => stream.discard(true));
    },
    told: ["head 200 4", "body abcd", "end"],
    calls: ["close"],
    state: "closed closed",
  },
];

function played({ play }: Scene): EndpointMachine {
  const machine = new EndpointMachine();
  play(machine);
  return machine;
}

for (const scene of SCENES) {
  test(scene.name, () => {
    const { told, socket, connection } = played(scene);
    const seen = { told, calls: socket.calls, state: connection.state.name };
    const { told: words, calls, state } = scene;
    assert.deepEqual(seen, { told: words, calls, state });
  });
}

/** What an endpoint may say at any time, sense or not. */
const SAYINGS = [
  OK,
  "abcd",
  "HTTP/1.1 103 -\r\n\r\n",
  "HTTP/1.1 200 OK\r\n\r\n",
  "HTTP/1.1 2",
  "\r\n",
  "HTTP/1.1 101 -\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
  "HTTP/1.1 204 -\r\n\r\n",
];

test("a connection to an endpoint, any order of what can happen: never what the table says that never happens", () => {
  const calls = Object.entries(ENDPOINT_CALLS);
  for (const seed of walkSeeds(400)) {
    const chance = new Random(seed);
    const random = (below: number): number => chance.next(below);
    const machine = new EndpointMachine();
    const { connection, socket, clock } = machine;
    const ended = (): boolean => socket.calls.includes("close") || socket.calls.includes("abort");
    let finOver = false;
    for (let step = 0; step < 40; step++) {
      const kind = random(10);
      if (kind < 4) {
        if (!ended() && !finOver) machine.say(SAYINGS[random(SAYINGS.length)] as string);
      } else if (kind < 8) {
        const [name, call] = calls[random(calls.length)] as (typeof calls)[number];
        if (UPSTREAM_TABLE[connection.state.name][name as UpstreamEvent] !== "misuse") call(machine);
      } else if (kind === 8) {
        const rare = random(6);
        if (rare === 0 && !ended() && !finOver) {
          finOver = true;
          connection.ended();
        } else if (rare === 1 && !ended()) connection.endAhead(random(2) === 0);
        else if (rare === 2) {
          machine.closed();
          break;
        } else if (rare === 3) socket.room = random(2) === 0 ? 0 : 100;
        else clock.advance(random(3000));
      } else {
        machine.take(random(3) === 0 ? Infinity : 50);
      }
    }
    assert.ok(connection.state.name in UPSTREAM_TABLE);
  }
});

test("every cell of the endpoint's table is reached, or said never to be", () => {
  for (const way of Object.values(ENDPOINT_WAYS)) {
    for (const happens of Object.values(EVERYTHING)) outcome(way, happens);
    outcome((machine) => (CLOGGED(machine), way(machine)), (machine) => machine.take(Infinity));
  }
  for (const answer of ANSWERS) answeredBy(answer, [answer.says]);
  for (const scene of SCENES) played(scene);
  const missed: string[] = [];
  for (const [name, cells] of Object.entries(UPSTREAM_TABLE)) {
    for (const [event, cell] of Object.entries(cells)) {
      if (cell !== "never" && !taken.has(`${event} while ${name}`)) missed.push(`${event} while ${name}`);
    }
  }
  assert.deepEqual(missed, []);
});
