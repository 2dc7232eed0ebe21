/** What would become of a request, as `sluice explain --json` prints it. Durations are milliseconds. */

import type { AttemptFailure, RetryDecision } from "../../exchange/retry.ts";

export interface Explanation {
  readonly method: string;
  /** As the request line has it. */
  readonly target: string;
  /** Field lines as they are received. */
  readonly fields: readonly string[];
  /**
   * - `forwarded`: to an endpoint of `upstream`, or to its destination by the forward proxy
   * - `answered`: by Sluice itself, see `answer`
   * - `tunnelled`: `answer`, once a connection to the destination is there, and then bytes both ways
   */
  readonly outcome: "forwarded" | "answered" | "tunnelled";
  /** Name of the route that takes it; null when none does, or it is refused before. */
  readonly route: string | null;
  readonly upstream: string | null;
  readonly answer: ExplainedAnswer | null;
  readonly forwarded: ExplainedForwarding | null;
  /** Missing when it is not for a forward proxy, or names no destination. */
  readonly proxied?: ExplainedProxying;
  /** Missing without scripts. */
  readonly scripts?: ExplainedScripts;
}

/** What scripts have done with the request. */
export interface ExplainedScripts {
  /** What their functions gave back, in order: `to app`, `nothing`. */
  readonly decisions: readonly string[];
  /** Sub-requests, which got what stands in for their upstreams. */
  readonly asked: readonly { readonly upstream: string; readonly method: string; readonly uri: string }[];
  /** What went wrong in them, with the place. */
  readonly faults: readonly string[];
  /** What they have logged. */
  readonly said: readonly string[];
}

/** What decides where a client of the forward proxy may go. */
export interface ExplainedProxying {
  readonly host: string;
  readonly port: number;
  /** Whom it is explained for; null = somebody who has not said who it is. */
  readonly user: string | null;
  /** Schemes of the credentials that are asked for, as 407 lists them; empty = none are. */
  readonly asks_for: readonly string[];
  /**
   * The entry of `forward.allow` that lets it through, or what denies it: `deny ENTRY`, `class CLASS`, `port`, `connect_ports`,
   * `not in allow`, `own listener`; null = nothing speaks against it.
   */
  readonly rule: string | null;
  readonly allowed: boolean;
  /** False when only the address of the name can tell. */
  readonly decided: boolean;
  /**
   * The rule of `forward.rules` that decides how it goes; null when none is for it. Missing where it is not
   * allowed anyway.
   */
  readonly way?: {
    readonly rule: string | null;
    /** `look_up`: only the addresses of the name tell which rule it is. */
    readonly action: "parents" | "deny" | "direct" | "look_up";
    /** Of `deny`; else "". */
    readonly reason: string;
  };
  /** Why the name has no addresses here, though they were asked for; "" = it has, or nobody has asked. */
  readonly lookup_error: string;
  /** Those of the name, each with its own verdict; null = it was not looked up. */
  readonly addresses:
    | readonly {
      readonly address: string;
      readonly class: string;
      readonly allowed: boolean;
      readonly rule: string | null;
    }[]
    | null;
}

/** An answer that Sluice gives itself. */
export interface ExplainedAnswer {
  readonly status: number;
  /** Why it is refused, as in Proxy-Status; "" for a fixed answer of the configuration. */
  readonly reason: string;
  readonly detail: string;
  readonly fields: readonly string[];
}

export interface ExplainedForwarding {
  /** The upstream's endpoints; `state` as in the status, null when no running Sluice was asked. */
  readonly endpoints: readonly {
    readonly name: string;
    readonly weight: number;
    readonly state: string | null;
    /** The policy's choice if all of them were free and nothing had been sent before. */
    readonly first: boolean;
  }[];
  readonly policy: string;
  /**
   * It authenticates its connection (NTLM, Negotiate): that connection serves no other client from then on, and the request is
   * not sent on another.
   */
  readonly pinned: boolean;
  /**
   * Credentials of ours that it is sent with, at once or when the endpoint asks; by name, separated by commas. "" = none.
   * Their values are left out of `fields`.
   */
  readonly credential: string;
  /** "" where nothing but what comes through a tunnel is sent: by way of SOCKS. */
  readonly request_line: string;
  /** Field lines as the endpoint gets them. */
  readonly fields: readonly string[];
  readonly hold: {
    /** Longest wait while no endpoint can be reached; 0 = it is answered 502 at once. */
    readonly hold_ms: number;
    /** Longest wait for a free slot while endpoints can be reached. */
    readonly queue_timeout_ms: number;
    readonly queue_size: number;
    /** 0 = no limit. */
    readonly max_in_flight: number;
    /** The upstream is paused at present: it would wait now. */
    readonly paused: boolean;
  };
  readonly body: {
    readonly kind: "none" | "length" | "chunked";
    /** Null when it is not known before. */
    readonly bytes: number | null;
    /**
     * - `buffered`: read in full before it takes a slot
     * - `buffered_first`: the same unless it is longer than `request_buffer`, then `streamed`
     * - `streamed`: passed on as it comes
     */
    readonly handling: "none" | "buffered" | "buffered_first" | "streamed";
    /** All of it is still here when it has to be sent again. */
    readonly replayable: boolean;
    readonly request_buffer: number;
  };
  readonly retry: {
    /** Attempts in all; 0 = as long as it may be held. */
    readonly tries: number;
    /** Those that may end without an answer; 0 = any number. */
    readonly unanswered_tries: number;
    readonly cases: readonly ExplainedRetry[];
  };
  readonly timeouts: {
    readonly connect_ms: number;
    readonly first_byte_ms: number;
    readonly body_idle_ms: number;
    readonly tunnel_idle_ms: number;
  };
}

/** What follows on a failure after the request was sent and before any of the answer has come. */
export interface ExplainedRetry {
  readonly failure: AttemptFailure;
  /** On a connection that had served before, or on a new one. */
  readonly connection: "reused" | "fresh";
  readonly again: boolean;
  /** Why not; "" when it is sent again. */
  readonly because: "" | (RetryDecision & { readonly kind: "no" })["because"];
}
