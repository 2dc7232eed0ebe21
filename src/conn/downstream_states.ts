/**
 * The states of a client's connection, and all that leads from one to another.
 *
 * A state is what we read and what we write. Reading: `idle` between requests, within a `head` or a `body`, a `whole`
 * request, a `refused` one (nothing of it can be understood any more), `spill` (read on and thrown away, so that our last
 * answer is not destroyed by a reset), `raw` (a tunnel's), `closed`. Writing: `idle`, an answer is `due`, has `begun`, the
 * last one is `done`, `raw`, `closed`.
 */

import { type Cell, linkStates, type State, type StateTable, type Step } from "./state_table.ts";

export type Reading = "idle" | "head" | "body" | "whole" | "refused" | "spill" | "raw" | "closed";
export type Writing = "idle" | "due" | "begun" | "done" | "raw" | "closed";

/** The pairs that occur. */
export type DownstreamStateName =
  | "idle idle"
  | "head idle"
  | "body due"
  | "body begun"
  | "whole due"
  | "whole begun"
  | "refused due"
  | "refused begun"
  /** Lingering. */
  | "spill done"
  /** What is left is being sent; then both directions close. Or the connection was dropped: the socket's end is awaited. */
  | "closed done"
  | "raw raw"
  | "closed closed";

/** What the client and the platform do. */
type WireEvent =
  /** Bytes have arrived. */
  | "data"
  /** The parser could go on. */
  | "parse"
  /** All that has arrived is used up, in the middle of a head or a body. */
  | "starved"
  /** A head that is acceptable, with a body to come. */
  | "request"
  /** The same without a body, or with an empty one. */
  | "wholeRequest"
  | "bodyEnd"
  /** What has arrived is not acceptable. */
  | "fault"
  /** The client has ended its sending side. */
  | "fin"
  /** It has, or is gone, behind bytes that we have not read: told while reading is paused. */
  | "endAhead"
  /** The deadline has passed. */
  | "deadline"
  /** The socket has taken bytes that had waited. */
  | "drained"
  /** The socket is gone. */
  | "gone";

/** Calls of request handlers. */
type CallEvent =
  | "expectBody"
  | "pauseBody"
  | "resumeBody"
  | "sendInterim"
  | "sendHead"
  | "sendBody"
  | "sendEnd"
  | "switchProtocols"
  | "becomeRaw"
  | "abortResponse"
  | "endUnanswered"
  | "refuseConnection"
  | "drain"
  | "abort";

/** What follows from another event once its conditions are settled. */
type Consequence =
  /** The answer was not the last one. */
  | "rest"
  /** Nothing more is answered; the client may still be sending. */
  | "linger"
  /** Nothing more is answered, and nothing that comes matters. */
  | "close";

export type DownstreamEvent = WireEvent | CallEvent | Consequence;

/** What is done: see the methods of the connection that ask for the cell. */
export type DownstreamAct =
  | "parse"
  | "park"
  | "hush"
  | "raw"
  | "ifTaken"
  | "ifWanted"
  | "suspend"
  | "awaitHead"
  | "awaitBody"
  | "serve"
  | "refuse"
  | "tell"
  | "close"
  | "endOfInput"
  | "leave"
  | "late"
  | "abort"
  | "rest"
  | "expectNothing"
  | "send"
  | "do";

type Cells<E extends DownstreamEvent> = {
  readonly [event in E]: Cell<DownstreamAct | "nothing" | "misuse" | "never", DownstreamStateName>;
};

/** Calls while no request is under way. */
const NO_REQUEST = {
  expectBody: "nothing",
  pauseBody: "nothing",
  resumeBody: "nothing",
  sendInterim: "nothing",
  sendHead: "misuse",
  sendBody: "misuse",
  sendEnd: "misuse",
  switchProtocols: "misuse",
  becomeRaw: "misuse",
  abortResponse: "misuse",
  endUnanswered: "misuse",
  refuseConnection: "misuse",
  abort: ["do", "closed done"],
  rest: "never",
} as const satisfies Partial<Cells<DownstreamEvent>>;

/** Calls after the end: it may have come while a handler was at work on a request. */
const TOO_LATE = {
  expectBody: "nothing",
  pauseBody: "nothing",
  resumeBody: "nothing",
  sendInterim: "nothing",
  sendHead: "nothing",
  sendBody: "nothing",
  sendEnd: "nothing",
  switchProtocols: "misuse",
  becomeRaw: "misuse",
  abortResponse: "nothing",
  endUnanswered: "nothing",
  refuseConnection: "misuse",
  drain: "nothing",
  abort: "do",
  rest: "never",
} as const satisfies Partial<Cells<DownstreamEvent>>;

/** Calls while an answer is due; its head leads on. */
const DUE = {
  sendInterim: "send",
  sendBody: "misuse",
  sendEnd: "misuse",
  becomeRaw: "misuse",
  abortResponse: "abort",
  endUnanswered: "do",
  refuseConnection: "misuse",
  drain: "nothing",
  abort: ["do", "closed done"],
  rest: "never",
  linger: ["do", "spill done"],
  close: "never",
} as const satisfies Partial<Cells<DownstreamEvent>>;

/** Calls within an answer. */
const BEGUN = {
  sendInterim: "nothing",
  sendHead: "misuse",
  sendBody: "send",
  sendEnd: "send",
  switchProtocols: "misuse",
  abortResponse: "do",
  endUnanswered: "misuse",
  refuseConnection: "misuse",
  drain: "nothing",
  abort: ["do", "closed done"],
  linger: ["do", "spill done"],
  close: ["do", "closed done"],
} as const satisfies Partial<Cells<DownstreamEvent>>;

/** Within a request's body. */
const BODY = {
  data: "parse",
  parse: "ifWanted",
  starved: "awaitBody",
  request: "never",
  wholeRequest: "never",
  fin: "endOfInput",
  endAhead: "tell",
  deadline: "late",
  drained: "awaitBody",
  gone: ["do", "closed closed"],
  expectBody: "do",
  pauseBody: "do",
  resumeBody: "do",
} as const satisfies Partial<Cells<DownstreamEvent>>;

/** A request has been received to its end: what comes is the next one's. */
const WHOLE = {
  data: "park",
  parse: "park",
  starved: "never",
  request: "never",
  wholeRequest: "never",
  bodyEnd: "never",
  fault: "never",
  fin: "tell",
  endAhead: "tell",
  deadline: "late",
  drained: "expectNothing",
  gone: ["do", "closed closed"],
  expectBody: "nothing",
  pauseBody: "nothing",
  resumeBody: "nothing",
} as const satisfies Partial<Cells<DownstreamEvent>>;

/** The same, but what comes has no meaning. */
const REFUSED = { ...WHOLE, data: "nothing", parse: "suspend" } as const;

/** As `WireEvent`, once nothing is parsed any more. */
const UNPARSED = {
  parse: "suspend",
  starved: "never",
  request: "never",
  wholeRequest: "never",
  bodyEnd: "never",
  fault: "never",
  endAhead: "nothing",
} as const satisfies Partial<Cells<DownstreamEvent>>;

export const DOWNSTREAM_TABLE = {
  "idle idle": {
    data: "parse",
    parse: "ifTaken",
    starved: ["awaitHead", "head idle"],
    request: ["serve", "body due"],
    wholeRequest: ["serve", "whole due"],
    bodyEnd: "never",
    fault: ["refuse", "refused due"],
    fin: "close",
    endAhead: "nothing",
    deadline: "leave",
    drained: "rest",
    gone: ["do", "closed closed"],
    ...NO_REQUEST,
    refuseConnection: ["do", "refused due"],
    drain: "do",
    linger: "never",
    close: ["do", "closed done"],
  },
  "head idle": {
    data: "parse",
    parse: "parse",
    starved: "nothing",
    request: ["serve", "body due"],
    wholeRequest: ["serve", "whole due"],
    bodyEnd: "never",
    fault: ["refuse", "refused due"],
    fin: "endOfInput",
    endAhead: "nothing",
    deadline: "refuse",
    drained: "nothing",
    gone: ["do", "closed closed"],
    ...NO_REQUEST,
    drain: "nothing",
    linger: "never",
    close: "never",
  },
  "body due": {
    ...BODY,
    bodyEnd: ["tell", "whole due"],
    fault: ["tell", "refused due"],
    ...DUE,
    sendHead: ["send", "body begun"],
    switchProtocols: "misuse",
  },
  "body begun": {
    ...BODY,
    bodyEnd: ["tell", "whole begun"],
    fault: ["tell", "refused begun"],
    ...BEGUN,
    becomeRaw: "misuse",
    rest: "never",
  },
  "whole due": {
    ...WHOLE,
    ...DUE,
    sendHead: ["send", "whole begun"],
    switchProtocols: ["send", "whole begun"],
  },
  "whole begun": {
    ...WHOLE,
    ...BEGUN,
    becomeRaw: ["do", "raw raw"],
    rest: ["do", "idle idle"],
  },
  "refused due": {
    ...REFUSED,
    ...DUE,
    sendHead: ["send", "refused begun"],
    switchProtocols: "misuse",
  },
  "refused begun": {
    ...REFUSED,
    ...BEGUN,
    becomeRaw: "misuse",
    rest: "never",
  },
  "spill done": {
    data: "hush",
    ...UNPARSED,
    fin: "close",
    deadline: "leave",
    drained: "hush",
    gone: ["do", "closed closed"],
    ...TOO_LATE,
    abort: ["do", "closed done"],
    linger: "never",
    close: ["do", "closed done"],
  },
  "closed done": {
    data: "nothing",
    ...UNPARSED,
    fin: "nothing",
    deadline: "abort",
    drained: "nothing",
    gone: ["do", "closed closed"],
    ...TOO_LATE,
    // An exchange that has not been told yet that the connection was dropped may be switching: the tunnel is told instead.
    switchProtocols: "nothing",
    becomeRaw: "do",
    linger: "never",
    close: "never",
  },
  "raw raw": {
    data: "raw",
    ...UNPARSED,
    fin: "raw",
    endAhead: "raw",
    deadline: "raw",
    drained: "raw",
    gone: ["do", "closed closed"],
    ...NO_REQUEST,
    drain: "nothing",
    linger: "never",
    close: "never",
  },
  "closed closed": {
    data: "never",
    ...UNPARSED,
    parse: "never",
    fin: "never",
    endAhead: "never",
    deadline: "never",
    drained: "never",
    gone: "never",
    ...TOO_LATE,
    linger: "never",
    close: "never",
  },
} as const satisfies StateTable<DownstreamStateName, DownstreamEvent, DownstreamAct>;

export type DownstreamState = State<DownstreamStateName, DownstreamEvent, DownstreamAct>;
export type DownstreamStep = Step<DownstreamStateName, DownstreamEvent, DownstreamAct>;

export const DOWNSTREAM_STATES = linkStates<DownstreamStateName, DownstreamEvent, DownstreamAct>(
  DOWNSTREAM_TABLE,
);
