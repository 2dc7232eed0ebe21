/**
 * The states of a connection to an endpoint, and all that leads from one to another.
 *
 * A state is what we read and what we write. Reading: `idle` between requests (any byte and any FIN ends the connection
 * then), before and within the `head` of a final response, its `body`, a response that is `done`, a `switched` protocol,
 * `raw` (a tunnel's), `closed`. Writing: `idle`, a `body` that is to come or coming, a request that was `sent`, `raw`,
 * `closed`.
 */

import {
  type Cell,
  type CommonAct,
  linkStates,
  type State,
  type StateTable,
  type Step,
} from "./state_table.ts";

/** The pairs that occur. */
export type UpstreamStateName =
  | "idle idle"
  | "head body"
  | "head sent"
  | "body body"
  | "body sent"
  | "done body"
  | "done sent"
  | "switched body"
  | "switched sent"
  | "raw raw"
  /** It serves nothing any more; the socket may still be sending what is left. */
  | "closed closed";

/** What the endpoint and the platform do. */
type WireEvent =
  /** Bytes have arrived. */
  | "data"
  /** The parser could go on. */
  | "parse"
  /** All that has arrived is used up. */
  | "starved"
  /** A response of 100 to 199, 101 excepted. */
  | "interim"
  /** 101. */
  | "switched"
  /** A final response's head. */
  | "head"
  /** The end of a response, interim ones included. */
  | "end"
  /** What has arrived is no acceptable response. */
  | "fault"
  /** The endpoint has ended its sending side. */
  | "fin"
  /** The same, and no response is under way that it could end. */
  | "cut"
  /** While reading is paused: it has ended behind bytes that may be unread, or is gone. */
  | "endAhead"
  /** The deadline has passed. */
  | "deadline"
  /** The socket has taken bytes that had waited. */
  | "drained"
  /** The socket is gone. */
  | "gone";

/** Calls of attempts, tunnels and pools. */
type CallEvent =
  /** A request with a body to come. */
  | "sendRequest"
  /** One without. */
  | "sendWholeRequest"
  | "expectContinue"
  | "sendBody"
  | "sendEnd"
  | "pauseBody"
  | "resumeBody"
  | "becomeRaw"
  | "rest"
  | "retire"
  | "drop";

export type UpstreamEvent = WireEvent | CallEvent;

/** What is done: see the methods of the connection that ask for the cell. */
export type UpstreamAct =
  | "parse"
  | "keep"
  | "lose"
  | "raw"
  | "suspend"
  | "await"
  | "tell"
  | "endOfInput"
  | "late"
  | "retire"
  | "moved"
  | "abort"
  | "do";

type Cells = Partial<{ readonly [event in UpstreamEvent]: Cell<UpstreamAct | CommonAct, UpstreamStateName> }>;

/** What the parser tells, where nothing is parsed. */
const UNPARSED = {
  parse: "suspend",
  starved: "never",
  interim: "never",
  switched: "never",
  head: "never",
  end: "never",
  fault: "never",
} as const satisfies Cells;

const ENDING = {
  retire: ["do", "closed closed"],
  drop: ["do", "closed closed"],
} as const satisfies Cells;

/** While a request is under way. */
const BUSY = {
  data: "parse",
  parse: "parse",
  fin: "endOfInput",
  cut: ["tell", "closed closed"],
  fault: ["tell", "closed closed"],
  endAhead: "nothing",
  deadline: "late",
  drained: "moved",
  gone: ["tell", "closed closed"],
  sendRequest: "misuse",
  sendWholeRequest: "misuse",
  pauseBody: "do",
  resumeBody: "do",
  becomeRaw: "misuse",
  rest: "misuse",
  ...ENDING,
} as const satisfies Cells;

const HEAD = { ...BUSY, starved: "nothing", interim: "tell", end: "nothing", expectContinue: "do" } as const;

const BODY = {
  ...BUSY,
  cut: "never",
  starved: "await",
  interim: "never",
  switched: "never",
  head: "never",
  expectContinue: "nothing",
} as const;

/** What comes after the response makes the connection unfit for another request. */
const DONE = {
  ...BUSY,
  ...UNPARSED,
  data: "keep",
  fin: "nothing",
  cut: "never",
  pauseBody: "nothing",
  resumeBody: "nothing",
  expectContinue: "nothing",
} as const;

/** What comes after a 101 is the tunnel's. */
const SWITCHED = { ...DONE, fin: ["tell", "closed closed"] } as const;

const UNSENT = { sendBody: "do" } as const satisfies Cells;
const SENT = { sendBody: "misuse", sendEnd: "misuse" } as const satisfies Cells;

export const UPSTREAM_TABLE = {
  "idle idle": {
    data: ["lose", "closed closed"],
    ...UNPARSED,
    fin: ["lose", "closed closed"],
    cut: "never",
    endAhead: "nothing",
    deadline: "retire",
    drained: "nothing",
    gone: ["lose", "closed closed"],
    sendRequest: ["do", "head body"],
    sendWholeRequest: ["do", "head sent"],
    expectContinue: "misuse",
    sendBody: "misuse",
    sendEnd: "misuse",
    pauseBody: "nothing",
    resumeBody: "nothing",
    becomeRaw: ["do", "raw raw"],
    rest: "do",
    ...ENDING,
  },
  "head body": {
    ...HEAD,
    ...UNSENT,
    switched: ["tell", "switched body"],
    head: ["tell", "body body"],
    sendEnd: ["do", "head sent"],
  },
  "head sent": {
    ...HEAD,
    ...SENT,
    switched: ["tell", "switched sent"],
    head: ["tell", "body sent"],
  },
  "body body": {
    ...BODY,
    ...UNSENT,
    end: ["tell", "done body"],
    sendEnd: ["do", "body sent"],
  },
  "body sent": {
    ...BODY,
    ...SENT,
    end: ["tell", "done sent"],
  },
  "done body": {
    ...DONE,
    ...UNSENT,
    sendEnd: ["do", "done sent"],
  },
  "done sent": {
    ...DONE,
    ...SENT,
    rest: ["do", "idle idle"],
  },
  "switched body": {
    ...SWITCHED,
    ...UNSENT,
    sendEnd: ["do", "switched sent"],
  },
  "switched sent": {
    ...SWITCHED,
    ...SENT,
    becomeRaw: ["do", "raw raw"],
  },
  "raw raw": {
    data: "raw",
    ...UNPARSED,
    fin: "raw",
    cut: "never",
    endAhead: "raw",
    deadline: "raw",
    drained: "raw",
    gone: ["raw", "closed closed"],
    sendRequest: "misuse",
    sendWholeRequest: "misuse",
    expectContinue: "nothing",
    sendBody: "misuse",
    sendEnd: "misuse",
    pauseBody: "nothing",
    resumeBody: "nothing",
    becomeRaw: "misuse",
    rest: "misuse",
    ...ENDING,
  },
  "closed closed": {
    data: "nothing",
    ...UNPARSED,
    fin: "nothing",
    cut: "never",
    endAhead: "nothing",
    deadline: "abort",
    drained: "nothing",
    gone: "nothing",
    sendRequest: "misuse",
    sendWholeRequest: "misuse",
    expectContinue: "nothing",
    sendBody: "nothing",
    sendEnd: "nothing",
    pauseBody: "nothing",
    resumeBody: "nothing",
    becomeRaw: "misuse",
    rest: "misuse",
    retire: "nothing",
    drop: "do",
  },
} as const satisfies StateTable<UpstreamStateName, UpstreamEvent, UpstreamAct>;

export type UpstreamState = State<UpstreamStateName, UpstreamEvent, UpstreamAct>;
export type UpstreamStep = Step<UpstreamStateName, UpstreamEvent, UpstreamAct>;

export const UPSTREAM_STATES = linkStates<UpstreamStateName, UpstreamEvent, UpstreamAct>(UPSTREAM_TABLE);
