/** How a client's connection gets into each of its states, and all that can happen to it there. */

import type { DownstreamStateName } from "../../src/conn/downstream_states.ts";
import type { ClientMachine } from "./client_machine.ts";

/** What leads from a new connection to each state. */
export const WAYS: Readonly<Record<DownstreamStateName, (machine: ClientMachine) => void>> = {
  "idle idle": () => {},
  "head idle": (machine) => machine.say("GET / HT"),
  "body due": (machine) => machine.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab"),
  "body begun": (machine) => {
    WAYS["body due"](machine);
    machine.sendHead(4);
  },
  "whole due": (machine) =>
    machine.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
  "whole begun": (machine) => {
    WAYS["whole due"](machine);
    machine.sendHead(4);
  },
  "refused due": (machine) => machine.say("no request\r\n\r\n"),
  "refused begun": (machine) => {
    WAYS["refused due"](machine);
    machine.sendHead(4, true, 400);
  },
  "spill done": (machine) => {
    WAYS["refused begun"](machine);
    machine.sendBody("oops");
    machine.sendEnd();
  },
  "closed done": (machine) => machine.connection.ended(),
  "raw raw": (machine) => {
    WAYS["whole due"](machine);
    machine.switchProtocols();
    machine.startTunnel();
  },
  "closed closed": (machine) => machine.closed(),
};

/** An answer waits to be sent before anything else happens. */
export function owing(machine: ClientMachine): void {
  machine.socket.room = 0;
  machine.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  machine.answer("");
}

/** What a client, a platform, or time does. */
export const HAPPENINGS = {
  data: (machine) => machine.say("cdefGET / HTTP/1.1\r\nHost: b\r\n\r\n"),
  fin: (machine) => machine.connection.ended(),
  endAhead: (machine) => machine.connection.endAhead(false),
  resetAhead: (machine) => machine.connection.endAhead(true),
  deadline: (machine) => machine.connection.expired(machine.clock.now()),
  gone: (machine) => machine.closed(),
} as const satisfies Record<string, (machine: ClientMachine) => void>;

/** What the handler of its requests, or the gateway, does. */
export const CALLS = {
  expectBody: (machine) => machine.call((stream) => stream.expectBody()),
  pauseBody: (machine) => machine.call((stream) => stream.pauseBody()),
  resumeBody: (machine) => {
    machine.call((stream) => stream.pauseBody());
    machine.call((stream) => stream.resumeBody());
  },
  sendInterim: (machine) => machine.sendInterim(),
  sendHead: (machine) => machine.sendHead(4),
  sendBody: (machine) => machine.sendBody("word"),
  sendEnd: (machine) => machine.sendEnd(),
  switchProtocols: (machine) => machine.switchProtocols(),
  becomeRaw: (machine) => machine.call(() => machine.connection.becomeRaw(machine)),
  abortResponse: (machine) => machine.call((stream) => stream.abortResponse()),
  endUnanswered: (machine) => machine.call((stream) => stream.endUnanswered()),
  refuseConnection: (machine) => machine.call(() => machine.connection.refuseConnection()),
  drain: (machine) => machine.call(() => machine.connection.drain(machine.clock.now(), 0)),
  abort: (machine) => machine.call((stream) => stream.abort()),
} as const satisfies Record<string, (machine: ClientMachine) => void>;
