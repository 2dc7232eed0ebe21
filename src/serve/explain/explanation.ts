/** What would become of a request, as `sluice explain --json` prints it. Durations are milliseconds. */

import type { AttemptFailure, RetryDecision } from "../../exchange/retry.ts";

export interface Explanation {
  readonly method: string;
  /** As the request line has it. */
  readonly target: string;
  /** Field lines as they are received. */
  readonly fields: readonly string[];
  /** - `forwarded`: to an endpoint of `upstream`; - `answered`: by Sluice itself, see `answer` */
  readonly outcome: "forwarded" | "answered";
  /** Name of the route that takes it; null when none does, or it is refused before. */
  readonly route: string | null;
  readonly upstream: string | null;
  readonly answer: ExplainedAnswer | null;
  readonly forwarded: ExplainedForwarding | null;
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
