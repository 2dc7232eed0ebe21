/**
 * The effective configuration: immutable, complete, every value in its base unit (milliseconds,
 * bytes). Made by `loadConfig`, read by everything above; never changed. A reload makes a new one.
 */

import type { Address } from "../../../runtime/contract/contract.ts";
import type { CredentialConfig, OriginCredentialConfig } from "./credential_config.ts";
import type {
  ParentBalance,
  ParentConfig,
  ProxyParentConfig,
  RuleConditionsConfig,
} from "./parent_config.ts";

export type * from "./credential_config.ts";
export type * from "./parent_config.ts";

/** Where to accept clients. */
export interface ListenConfig {
  readonly address: Address;
  /** Speak TLS with the certificate of `tls`. */
  readonly tls: boolean;
  /** Clients ask for any destination here (forward proxy), beside what routes lead to. */
  readonly forward: boolean;
}

/** Where clients of forward listeners may go, and who may ask. */
export interface ForwardConfig {
  /** Destinations as written: host, `.suffix`, `*.suffix`, IP, CIDR, class of addresses, each with an optional `:port`. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Ports that CONNECT may lead to, inclusive; null = all but those that browsers refuse. */
  readonly ports: readonly (readonly [first: number, last: number])[] | null;
  /** Clients that may ask without saying who they are; CIDR. Empty = all that reach the listener. */
  readonly clients: readonly string[];
  /** htpasswd file; null = none. */
  readonly usersFile: string | null;
  /** htdigest file; null = none. */
  readonly digestFile: string | null;
  /** File with lines `token name`; null = none. */
  readonly tokensFile: string | null;
  readonly maxTunnels: number;
  /** URLs that begin with https:// are fetched for clients, in TLS with the origin. */
  readonly https: boolean;
  /** What `/proxy.pac` calls us, `host:port`; null = by the address in Host. */
  readonly pacHost: string | null;
  /** The first that is for a request decides; `noParent` and `byDefault` are for what none is for. */
  readonly rules: readonly ForwardRuleConfig[];
  /** Who is asked instead of the destination, by those of `rules` that say so, in their order. */
  readonly byRule: readonly ParentsConfig[];
  /** Who is asked by default; null = nobody. */
  readonly byDefault: ParentsConfig | null;
  /** Destinations that are reached without a parent, as `no_proxy` has them. */
  readonly noParent: string;
  /** How long requests for direct destinations are held; the first that fits counts, 0 for all others. */
  readonly holdDirect: readonly HoldDirectConfig[];
  /** Credentials for origins of `http://` requests; the first that fits counts. */
  readonly credentials: readonly OriginCredentialConfig[];
  /** Of direct destinations: timeouts, pool, retries as the top level says. */
  readonly direct: UpstreamConfig;
}

/** Proxies that are asked instead of a destination. */
export interface ParentsConfig {
  /** Where `balance` is `order`, in this order. */
  readonly parents: readonly ParentConfig[];
  readonly balance: ParentBalance;
  /** Timeouts, holding, pool, retries, TLS as the top level says. Endpoints are those parents that are HTTP proxies. */
  readonly upstream: UpstreamConfig;
}

/** How requests that fit are answered, or reach their destination. */
export interface ForwardRuleConfig {
  /** For metrics and logs. */
  readonly name: string;
  readonly conditions: RuleConditionsConfig;
  readonly action:
    | { readonly kind: "deny"; readonly reason: string }
    | { readonly kind: "direct" }
    | {
      readonly kind: "parents";
      readonly parents: readonly ParentConfig[];
      readonly balance: ParentBalance;
    };
  /** How long a request may wait while there is no way; null = as for all parents, or all direct destinations. */
  readonly holdMs: number | null;
}

export interface HoldDirectConfig {
  /** As of `forward.allow`. */
  readonly destination: string;
  readonly holdMs: number;
}

/** Certificate files of the TLS listeners; PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** After what a request may be tried again of which bytes were sent; one that was not sent is held. */
export type RetryCondition = "reset" | "timeout" | 502 | 503 | 504;

export interface RetryConfig {
  readonly on: readonly RetryCondition[];
  /** Methods that may be retried after bytes were sent; upper case. */
  readonly methods: readonly string[];
  /** Attempts in all, the first included; 1 = never retry. 0 = until `hold` ends. */
  readonly tries: number;
  /** Attempts that may be sent and end without an answer; 0 = any number. */
  readonly unansweredTries: number;
  /** Any method may be retried as long as no byte of a response has arrived. */
  readonly unanswered: boolean;
}

/** How to speak TLS to the endpoints whose address is `https://`. */
export interface UpstreamTlsConfig {
  readonly verify: boolean;
  /** PEM file of authorities to trust instead of the platform's; null = the platform's. */
  readonly caFile: string | null;
  /** SNI and certificate name; null = the endpoint's host. */
  readonly serverName: string | null;
  readonly certFile: string | null;
  readonly keyFile: string | null;
}

export interface EndpointConfig {
  readonly address: Address;
  readonly scheme: "http" | "https";
  /** Share of requests relative to the other endpoints, 1 to 1000. */
  readonly weight: number;
  /**
   * As the user wrote it, canonical: `127.0.0.1:3000`, `https://host:443`, `unix:/path`. `auto` is 127.0.0.1 and port 0
   * until a port has been chosen.
   */
  readonly name: string;
  /** As the configuration has it, where `address` is one of those that its name has (`eachAddress`). */
  readonly written?: EndpointConfig;
  /** It is a proxy that passes requests on. See `ProxySettings`. */
  readonly proxy?: {
    /** Value of Proxy-Authorization; "" = none. */
    readonly authorization: string;
    readonly passesLogin?: boolean;
    readonly userPassword?: string | null;
    /** The proxy by way of which it is reached. */
    readonly via?: ProxyParentConfig;
    /** Name of a credential of ours; null = none. */
    readonly credential: string | null;
  };
}

/** The command that an upstream's endpoints are. */
export interface BackendConfig {
  /** The program and its arguments; may hold `{port}` where an endpoint is `auto`. */
  readonly command: readonly [string, ...string[]];
  readonly folder: string | null;
  readonly startOnDemand: boolean;
  /** 0 = never. */
  readonly stopWhenIdleMs: number;
  readonly output: "prefix" | "plain" | "off";
  readonly stdout: "stderr" | "stdout";
  readonly stopSignal: "TERM" | "INT" | "QUIT" | "HUP" | "USR1" | "USR2";
  readonly stopTimeoutMs: number;
  /** Quick ends in a row after which it is given up; 0 = never. */
  readonly maxFailures: number;
  readonly forward: readonly ("HUP" | "USR1" | "USR2" | "QUIT")[];
}

/** Which endpoint is asked first. */
export type PolicyName = "round_robin" | "least_conn" | "random";

/** The same, and what users do not choose by name: `first_up`, the first one that can be reached, and `hash`. */
export type AnyPolicyName = PolicyName | "first_up" | "hash";

export interface UpstreamConfig {
  readonly name: string;
  readonly endpoints: readonly EndpointConfig[];
  /** Each address of an endpoint's name is an endpoint of its own. */
  readonly eachAddress: boolean;
  readonly policy: AnyPolicyName;
  /** How long a request may wait while no endpoint can be reached. 0 = not at all. */
  readonly holdMs: number;
  /** Pause between dials to an endpoint that is down; null = 4 % of the time it has been down so far. */
  readonly holdIntervalMs: number | null;
  /** Requests one endpoint serves at a time, strictly; 0 = no limit. */
  readonly maxInFlight: number;
  readonly queue: {
    /** Most requests waiting. */
    readonly size: number;
    /** Most bytes of request bodies buffered by waiting requests. */
    readonly bytes: number;
    /** How long a request may wait for a free slot while endpoints are reachable. */
    readonly timeoutMs: number;
  };
  /** A body of known length up to this many bytes is read in full before the request takes a slot. */
  readonly requestBufferBytes: number;
  readonly retry: RetryConfig;
  readonly connectTimeoutMs: number;
  /** Longest wait for the response head after the request was sent. */
  readonly firstByteTimeoutMs: number;
  /** Longest pause within a body, either direction. */
  readonly bodyIdleTimeoutMs: number;
  /** Bytes a second that a client must send of its request body, or take of the response; 0 = any. */
  readonly bodyRate: number;
  /** Longest silence of an upgraded connection. */
  readonly tunnelIdleTimeoutMs: number;
  readonly pool: {
    /** Idle connections kept per endpoint. */
    readonly size: number;
    /** How long an idle connection is kept. */
    readonly idleTimeoutMs: number;
    /** A connection older than this is not used again; 0 = no limit. */
    readonly maxAgeMs: number;
  };
  /** Host field sent to the endpoint: what the client sent, the endpoint's own, or a fixed value. */
  readonly hostHeader: { readonly kind: "pass" } | { readonly kind: "endpoint" } | {
    readonly kind: "fixed";
    readonly value: string;
  };
  readonly tls: UpstreamTlsConfig;
  /** Name of an entry of `credentials` that requests without an Authorization are sent with; null = none. */
  readonly credential: string | null;
  /** What Sluice runs to have these endpoints; null = they are there. */
  readonly child: BackendConfig | null;
}

/** A fixed answer given by Sluice itself. */
export interface RespondConfig {
  readonly status: number;
  readonly body: string;
  /** Extra fields, validated; `Content-Type: text/plain; charset=utf-8` is the default. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * The most specific route wins: exact host before `*.` wildcard (longest first) before any host; then the
 * longest path prefix. A prefix matches whole segments: `/api` and `/api/` both match `/api/x`,
 * neither matches `/apix`.
 */
export interface RouteConfig {
  /** Lower case, without port; `*.example.com`; null = any host. */
  readonly host: string | null;
  /** Path prefix beginning with "/"; "/" = any path. */
  readonly path: string;
  readonly target:
    | { readonly kind: "upstream"; readonly upstream: string; readonly retry: RetryConfig | null }
    | { readonly kind: "respond"; readonly respond: RespondConfig }
    /** Answered by the handler that this file exports. */
    | { readonly kind: "handle"; readonly file: string };
  /** The file whose functions decide about requests of this route; null = none of its own. */
  readonly script: string | null;
  /** For logs: `example.com/api/` or `/`. */
  readonly name: string;
}

export type AccessLogFormat = "json" | "common" | "combined" | "off";
export type LogLevel = "error" | "warn" | "info" | "debug";

export interface LogConfig {
  readonly accessLog: { readonly format: AccessLogFormat; readonly to: string | "stdout" | "stderr" };
  readonly logLevel: LogLevel;
  readonly logFormat: "text" | "json";
}

/** How clients are served. */
export interface ServerConfig {
  /** From the first byte of a request to the end of its head; also the first request of a connection. */
  readonly headTimeoutMs: number;
  /** Longest pause between the bytes of a request or response body on the client's side. */
  readonly bodyIdleTimeoutMs: number;
  /** How long an idle client connection is kept. */
  readonly keepAliveTimeoutMs: number;
  /** What a client means that ends its sending side before it has been answered. */
  readonly clientHalfClose: "abort" | "finish";
  /** How long a graceful stop waits for what is in flight. */
  readonly drainTimeoutMs: number;
  readonly maxHeadBytes: number;
  readonly maxTargetBytes: number;
  readonly maxFields: number;
  /** Largest request body; 0 = no limit. */
  readonly maxBodyBytes: number;
  /** Client connections open at a time; a further one is answered 503. */
  readonly maxConnections: number;
  /** Peers whose Forwarded and X-Forwarded-* are believed: CIDR blocks, canonical text. */
  readonly trustedProxies: readonly string[];
  /** Our name in Via. */
  readonly via: string;
  /** What to do with request field names containing "_". */
  readonly underscoreFields: "drop" | "pass" | "reject";
  /** Upgrade tokens let through, lower case. */
  readonly upgrades: readonly string[];
  /** Accept malformed field lines of responses where they have one meaning, and send them on clean. */
  readonly lenientTarget: boolean;
  readonly lenientUpstream: boolean;
  /** Kernel accept queue. */
  readonly backlog: number;
}

/** Who may use a Unix socket; null = as the platform makes it. */
export interface UnixNames {
  /** Permission bits. */
  readonly mode: number | null;
  /** Names or numbers. */
  readonly owner: string | null;
  readonly group: string | null;
}

/** What concerns the process. */
export interface ProcessConfig {
  /** Processes that serve, >= 1; null = one per processor. */
  readonly workers: number | null;
  /** Who makes the system calls of sockets: the platform, or we ourselves; `auto`: we, where that can be. */
  readonly sockets: "auto" | "native" | "epoll";
  /** Path of the control socket, "off" = none, null = a path derived from the first port. */
  readonly control: string | null;
  readonly controlAccess: UnixNames;
  /** Of the Unix sockets of listeners, that of the admin listener included. */
  readonly unix: UnixNames;
  /** Read the configuration anew when its file changes. */
  readonly watch: boolean;
  readonly readyFd: number | null;
  readonly portFile: string | null;
  readonly pidFile: string | null;
  /** Sluice ends with the first command that ends by itself. */
  readonly exitWithChild: boolean;
  /** Null = none. */
  readonly through: ThroughConfig | null;
}

/** A command that is run through the forward proxy, and with which Sluice ends. */
export interface ThroughConfig {
  readonly command: readonly [string, ...string[]];
  /** Null = ours. */
  readonly folder: string | null;
}

/** What concerns all scripts. Paths of files are relative to the working directory. */
export interface ScriptConfig {
  /** Asked about every request, before the routes; null = only routes have some. */
  readonly file: string | null;
  /** Longest time for a promise of a hook. */
  readonly timeoutMs: number;
  /** How long a worker may be silent before it is ended. */
  readonly stallMs: number;
  /** A response whose `onResponse` fails goes on as it came. */
  readonly passesOnError: boolean;
  /** Whether calls are ended that take too long; `auto`: in a worker that replaces one that had to be ended. */
  readonly guard: "auto" | "always" | "never";
}

/** The listener for those who run Sluice: status page, metrics, health. */
export interface AdminConfig {
  readonly address: Address;
  /** The status page has buttons. */
  readonly actions: boolean;
  /** File with the token that they need; not null with `actions`. */
  readonly tokenFile: string | null;
}

export interface Config {
  readonly listen: readonly ListenConfig[];
  readonly tls: TlsFiles | null;
  readonly server: ServerConfig;
  readonly upstreams: readonly UpstreamConfig[];
  readonly routes: readonly RouteConfig[];
  readonly log: LogConfig;
  readonly process: ProcessConfig;
  /** In the order of the file. */
  readonly credentials: readonly CredentialConfig[];
  /** Null = no listener is one of a forward proxy. */
  readonly forward: ForwardConfig | null;
  /** Null = there are no scripts, nor routes with one. */
  readonly script: ScriptConfig | null;
  /** Null = none. */
  readonly admin: AdminConfig | null;
}
