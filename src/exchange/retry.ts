/**
 * May a request be sent again? One pure function, so that every cell of the table can be tested.
 *
 * Nothing sent: that is no retry, any request may wait for another connection. Bytes sent: only an
 * idempotent request may be repeated without being asked to (RFC 9110 §9.2.2), and only if all of its
 * body is still here. A connection that was reused and closed without a byte of response is the usual
 * occasion, not an extra licence. Once a response has begun, nothing is repeated. Neither is what authenticates its
 * connection, or was sent on one that is authenticated: elsewhere it would be a replay, or another user's.
 */

/** What went wrong with an attempt; a number is the status that was answered. */
export type AttemptFailure = "reset" | "timeout" | 502 | 503 | 504;

export interface RetryPolicy {
  readonly on: readonly AttemptFailure[];
  /** Methods that may be sent again, upper case. */
  readonly methods: readonly string[];
  /** Attempts in all, the first included; 0 = as long as the request may be held. */
  readonly tries: number;
  /** Attempts that may be sent and end without an answer; 0 = any number. Two count once at times: see losses.ts. */
  readonly unansweredTries: number;
  /** Any method may be sent again while not a byte of a response has arrived. */
  readonly unanswered: boolean;
}

/** One attempt that is sent, whatever becomes of it. */
export const NEVER_AGAIN: RetryPolicy = {
  on: [],
  methods: [],
  tries: 1,
  unansweredTries: 1,
  unanswered: false,
};

export interface AttemptFacts {
  readonly failure: AttemptFailure;
  /** The kernel took bytes of the request, so the endpoint may have seen them. */
  readonly sent: boolean;
  /** The connection had served another request before. */
  readonly reused: boolean;
  /** It must not go on another connection: the client has authenticated on that one. */
  readonly pinned: boolean;
  /** Bytes of one have, be it of an interim response or of half a head: that is an answer of a kind. */
  readonly anyResponse: boolean;
  /** Part of a response has arrived that was not taken for a failure as a whole. */
  readonly responseBegun: boolean;
  readonly method: string;
  /** The client sent Idempotency-Key: the origin recognises a repetition. */
  readonly idempotencyKey: boolean;
  /** Whether the body can be sent from its beginning again. */
  readonly replayable: boolean;
  /** Attempts made so far, this one included; >= 1. */
  readonly attempts: number;
  /** Ends of endpoints by which attempts that were sent are without an answer, this one included; see losses.ts. */
  readonly lost: number;
  /** Milliseconds that are left of the request's hold time. */
  readonly timeLeftMs: number;
  /** An endpoint that has not been tried yet can take the request without any holding. */
  readonly elsewhere: boolean;
}

/**
 * - `again`: wait for a connection like a new request; `fresh` = one that has not been used before
 * - `no`: answer with the failure itself (`exhausted`) or say why it must not be sent again
 */
export type RetryDecision =
  | { readonly kind: "again"; readonly fresh: boolean }
  | { readonly kind: "no"; readonly because: RetryRefusal };

export type RetryRefusal =
  | "response_begun"
  | "pinned"
  | "exhausted"
  | "not_idempotent"
  | "body_not_replayable";

/** Attempts at a request that was answered with a status on the list, where the policy sets no number. */
const STATUS_TRIES = 3;

const AGAIN: RetryDecision = { kind: "again", fresh: false };
const AGAIN_FRESH: RetryDecision = { kind: "again", fresh: true };
const RESPONSE_BEGUN: RetryDecision = { kind: "no", because: "response_begun" };
const PINNED: RetryDecision = { kind: "no", because: "pinned" };
const EXHAUSTED: RetryDecision = { kind: "no", because: "exhausted" };
const NOT_IDEMPOTENT: RetryDecision = { kind: "no", because: "not_idempotent" };
const NOT_REPLAYABLE: RetryDecision = { kind: "no", because: "body_not_replayable" };

/** Decides about the next attempt; never throws, constant time. */
export function decideRetry(facts: AttemptFacts, policy: RetryPolicy): RetryDecision {
  const { failure } = facts;
  const answered = typeof failure === "number";
  if (facts.responseBegun) return RESPONSE_BEGUN;
  if (facts.pinned) return PINNED;
  if (!facts.sent && !answered) {
    // What was handed over and not taken counts as relayed all the same: its copy may be gone.
    if (!facts.replayable) return NOT_REPLAYABLE;
    return facts.timeLeftMs > 0 || facts.reused || facts.elsewhere ? AGAIN : EXHAUSTED;
  }
  if (!policy.on.includes(failure)) return EXHAUSTED;
  const repeatable = policy.methods.includes(facts.method) || facts.idempotencyKey ||
    (policy.unanswered && !answered && !facts.anyResponse);
  if (!repeatable) return NOT_IDEMPOTENT;
  if (!facts.replayable) return NOT_REPLAYABLE;
  const tries = policy.tries > 0 ? policy.tries : answered ? STATUS_TRIES : Infinity;
  if (facts.attempts >= tries) return EXHAUSTED;
  // The endpoint may have crashed because of it. A first loss on a pooled connection is followed by one more attempt in any
  // case: the connection may have been closed already.
  const pooledOnce = facts.reused && failure === "reset" && facts.lost <= 1;
  if (policy.unansweredTries > 0 && facts.lost >= policy.unansweredTries && !pooledOnce) return EXHAUSTED;
  // A pooled connection that had died says nothing about the endpoint: one new one, hold time or not.
  if (facts.reused && failure === "reset") return AGAIN_FRESH;
  return facts.timeLeftMs > 0 || facts.elsewhere ? AGAIN : EXHAUSTED;
}
