/** How a connection to an endpoint gets into each of its states, and all that can happen to it there. */

import type { UpstreamStateName } from "../../src/conn/upstream_states.ts";
import type { EndpointMachine } from "./endpoint_machine.ts";

/** What leads from a new connection to each state. */
export const ENDPOINT_WAYS: Readonly<Record<UpstreamStateName, (machine: EndpointMachine) => void>> = {
  "idle idle": (machine) => {
    ENDPOINT_WAYS["done sent"](machine);
    machine.rest();
  },
  "head body": (machine) => {
    machine.sendRequest(6, "x");
    machine.sendBody("ab");
  },
  "head sent": (machine) => machine.sendRequest(undefined, "x"),
  "body body": (machine) => {
    ENDPOINT_WAYS["head body"](machine);
    machine.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
  },
  "body sent": (machine) => {
    ENDPOINT_WAYS["head sent"](machine);
    machine.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab");
  },
  "done body": (machine) => {
    ENDPOINT_WAYS["body body"](machine);
    machine.say("cd");
  },
  "done sent": (machine) => {
    ENDPOINT_WAYS["body sent"](machine);
    machine.say("cd");
  },
  "switched body": (machine) => {
    ENDPOINT_WAYS["head body"](machine);
    machine.say("HTTP/1.1 101 -\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
  },
  "switched sent": (machine) => {
    ENDPOINT_WAYS["head sent"](machine);
    machine.say("HTTP/1.1 101 -\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
  },
  "raw raw": (machine) => {
    ENDPOINT_WAYS["switched sent"](machine);
    machine.startTunnel();
  },
  "closed closed": (machine) => machine.call(() => machine.connection.retire()),
};

/** What an endpoint, a platform, or time does. */
export const ENDPOINT_HAPPENINGS = {
  data: (machine) => machine.say("cdHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
  interim: (machine) => machine.say("HTTP/1.1 103 -\r\n\r\n"),
  fin: (machine) => machine.connection.ended(),
  endAhead: (machine) => machine.connection.endAhead(false),
  resetAhead: (machine) => machine.connection.endAhead(true),
  deadline: (machine) => machine.connection.expired(machine.clock.now()),
  gone: (machine) => machine.closed(),
} as const satisfies Record<string, (machine: EndpointMachine) => void>;

/** What the user of the connection, or a pool, does. */
export const ENDPOINT_CALLS = {
  sendRequest: (machine) => machine.sendRequest(6),
  sendWholeRequest: (machine) => machine.sendRequest(),
  expectContinue: (machine) => machine.call((stream) => stream.expectContinue()),
  sendBody: (machine) => machine.sendBody("cdef"),
  sendEnd: (machine) => machine.sendEnd(),
  pauseBody: (machine) => machine.call((stream) => stream.pauseBody()),
  resumeBody: (machine) => {
    machine.call((stream) => stream.pauseBody());
    machine.call((stream) => stream.resumeBody());
  },
  becomeRaw: (machine) => machine.call(() => machine.connection.becomeRaw(machine)),
  rest: (machine) => machine.rest(),
  retire: (machine) => machine.call(() => machine.connection.retire()),
  drop: (machine) => machine.call(() => machine.connection.drop()),
} as const satisfies Record<string, (machine: EndpointMachine) => void>;
