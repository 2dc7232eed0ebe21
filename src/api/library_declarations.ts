/** What users are told of gates and what they are opened with; a part of declarations.ts. */

export const LIBRARY_DECLARATIONS = `
// ---- Sluice as a part of a program ----

/** A port (3000 = 127.0.0.1:3000), "host:port", "https://host", "unix:/path"; with a weight for the policy. */
export type EndpointInit = string | number | {
  readonly address: string | number;
  /** 1 to 1000; default 1. */
  readonly weight?: number | string | undefined;
};

/** Endpoints, and any option of an upstream as the file has it: \`{ endpoints: [3000], max_in_flight: 1, queue: { size: 50 } }\`. */
export type UpstreamInit =
  & { readonly endpoints: string | number | readonly EndpointInit[] }
  & Readonly<Record<string, unknown>>;

export interface MatchInit {
  /** A name, or "*.example.com". */
  readonly host?: string | undefined;
  /** What the path begins with, whole segments: "/api/". */
  readonly path?: string | undefined;
}

export interface RouteInit {
  /** One or several; default: all requests. */
  readonly match?: MatchInit | readonly MatchInit[] | undefined;
  /** Name of an upstream, endpoints, or a handler. */
  readonly to?: string | number | readonly EndpointInit[] | RequestHandler | undefined;
  /** A fixed answer instead: a status, or \`{ status, body, headers }\`. */
  readonly respond?: unknown;
  /** \`retry\` of the requests of this route. */
  readonly retry?: unknown;
}

/** What \`open\` takes. Everything is as in the file of \`sluice --config\`; numbers and booleans may stand for their text. */
export interface OpenOptions extends ScriptHooks {
  /** Where to listen: a port (8080 = all IPv4 interfaces), "127.0.0.1:0" (any free port), "https://:443", "unix:/path". Default 8080. */
  readonly listen?: string | number | readonly (string | number)[] | undefined;
  readonly upstreams?: Readonly<Record<string, UpstreamInit>> | undefined;
  readonly routes?: readonly RouteInit[] | undefined;
  /** Answers what the routes leave over. */
  readonly handler?: RequestHandler | undefined;
  /** Path of a YAML file, for the rest. What is given here goes before what the file says. */
  readonly config?: string | undefined;
  /** Options of the top level, nested as in the file: \`{ hold: "10s", tls: { cert, key }, access_log: "json" }\`. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** Gets the lines of the log, without their ends, those of the access log included. Default: nothing is logged. What it throws is dropped. */
  readonly log?: ((line: string) => void) | undefined;
}

/** Sums since the start. */
export interface GateTotals {
  /** Requests that have ended, failed ones included. */
  readonly requests: number;
  /** By first digit of the status; [0] counts those without one. */
  readonly by_class: readonly number[];
  readonly failed: number;
  readonly request_bytes: number;
  readonly response_bytes: number;
  readonly retries: number;
  /** Requests that waited while no endpoint could be reached. */
  readonly held: number;
}

export interface EndpointState {
  readonly name: string;
  readonly state: "up" | "down" | "probing" | "draining" | "drained" | "unhealthy";
  readonly in_flight: number;
  /** Connections that rest. */
  readonly idle: number;
  readonly answered: number;
  /** Failed dials and connections since the start. */
  readonly failures: number;
}

/** All pauses of an upstream; times as ISO 8601. */
export interface PauseState {
  readonly since: string;
  /** When the last of them ends by itself; null = one of them does not. */
  readonly lease_until: string | null;
  /** In the order in which they began: "program" is \`Gate.pause\`, "operator" the admin listener. */
  readonly owners: readonly {
    readonly owner: string;
    readonly since: string;
    readonly lease_until: string | null;
  }[];
}

export interface UpstreamState {
  readonly name: string;
  readonly state: "up" | "down" | "paused";
  readonly paused: PauseState | null;
  /** Requests in the waiting room, and how long the oldest has been there. */
  readonly waiting: number;
  readonly oldest_wait_ms: number;
  readonly in_flight: number;
  readonly totals: GateTotals;
  readonly endpoints: readonly EndpointState[];
}

export interface RouteState {
  /** "example.com/api/"; "/" = all requests. */
  readonly name: string;
  /** Name of its upstream; "" = it answers by itself. */
  readonly upstream: string;
  readonly totals: GateTotals;
}

/** As \`sluice status --json\` prints it; these members are there for good. */
export interface GateStatus {
  readonly state: "starting" | "serving" | "stopping";
  /** ISO 8601, UTC. */
  readonly started: string;
  readonly uptime_ms: number;
  /** 1 at the start; every reload that changed something adds one. */
  readonly generation: number;
  readonly listeners: readonly string[];
  readonly connections: number;
  /** WebSockets and other upgrades that are open. */
  readonly tunnels: number;
  readonly totals: GateTotals;
  /** Failed requests by reason, as in Proxy-Status. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly upstreams: readonly UpstreamState[];
  readonly routes: readonly RouteState[];
}

/**
 * A Sluice in this process. It installs no signal handler, never ends the process, writes no file of its own and prints nothing.
 * While it is open the process goes on; once all are closed it may end.
 */
export interface Gate {
  /** What it listens on, like "127.0.0.1:8080" and "https://0.0.0.0:443". */
  readonly addresses: readonly string[];
  /** Of the first of them; 0 = there are Unix sockets only. */
  readonly port: number;
  /** Resolves when it is closed, whoever has closed it. Never rejects. */
  readonly closed: Promise<void>;
  /** What is known now. Costs some microseconds for each upstream and route. */
  status(): GateStatus;
  /**
   * Goes over to other options, all or nothing: requests go on as they began, connections, counts and waiting requests of what is the same stay.
   * Reloads are done one after the other, in their order.
   * @throws ConfigError, OpenError: nothing has changed
   */
  reload(options: OpenOptions): Promise<void>;
  /**
   * Holds new requests to an upstream (default: to all, also to those that a reload adds) until \`resume\`; each for \`hold\`, 30 s at least.
   * Resolves when they are held; what is on its way goes on.
   * @throws RangeError there is no such upstream
   */
  pause(upstream?: string): Promise<void>;
  /**
   * Ends what \`pause\` of this gate has begun; nothing paused is fine.
   * @throws RangeError there is no such upstream
   */
  resume(upstream?: string): Promise<void>;
  /** See \`ask\`. This gate has a handler or a hook. */
  ask(upstream: string, how?: AskOptions): Promise<Asked>;
  /** See \`setUpstream\`. This gate has a handler or a hook. */
  setUpstream(name: string, how: UpstreamInit): Promise<void>;
  /**
   * Accepts nothing more, lets what is on its way end, and cuts off what is left.
   * @param drainMs how long that may take, 0 to a day, in milliseconds; default: \`drain_timeout\` (30 s). A later call may shorten it.
   * @returns resolves when nothing is open any more; rejects with a RangeError for another number only
   */
  close(drainMs?: number): Promise<void>;
  /** \`await using gate = await open(…)\` closes it. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The options have problems: all of them, each with its place and, where possible, the fix. No port was opened, nothing has changed. */
export class ConfigError extends Error {
  readonly name: "ConfigError";
  /** One line each: "upstreams.app.hold: needs a unit: …". */
  readonly problems: readonly string[];
  constructor(problems: readonly string[]);
}

/** The system refuses what the options ask for: a port is in use, a certificate does not fit its key. Nothing was opened, nothing has changed. */
export class OpenError extends Error {
  readonly name: "OpenError";
  constructor(message: string);
}

/**
 * Opens a gate, or nothing.
 *
 *     await using gate = await open({ listen: 8080, upstreams: { app: { endpoints: [3000] } } });
 *
 * @throws ConfigError, OpenError
 */
export function open(options: OpenOptions): Promise<Gate>;

/**
 * The same with a handler for all that no route takes.
 *
 *     await serve(8080, () => ({ body: "hello world\\n" }));
 *
 * @param where a port, an address as \`listen\` takes it, or options
 * @throws ConfigError, OpenError
 */
export function serve(where: string | number | OpenOptions, handler: RequestHandler): Promise<Gate>;
export { serve as serve_http };

/**
 * A handler that sends requests to an upstream of its own: \`router({ "/api/": proxy(4000, { max_in_flight: 1 }) })\`. Best made once; a gate
 * makes the upstream (at most 1,000) when it first meets it.
 * @param how options of the upstream, as the file has them
 * @throws ConfigError
 */
export function proxy(
  endpoints: string | number | readonly EndpointInit[],
  how?: Readonly<Record<string, unknown>>,
): RequestHandler;
`;
