/** What the failed attempts of one request have come to, and whether another one may follow. Made when one has failed. */

import { Field } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import type { Attempt } from "./attempt.ts";
import type { ExchangeSettings } from "./exchange_settings.ts";
import { Losses } from "./losses.ts";
import type { PinUse } from "./pin_use.ts";
import { type AttemptFailure, decideRetry, type RetryDecision, type RetryPolicy } from "./retry.ts";
import type { StreamWait } from "./stream_wait.ts";
import type { Upload } from "./upload.ts";

/** Pause before a request that an endpoint failed while it served others is sent again, doubled each time. */
const RETRY_PAUSE_MS = 25;

/** @param attempts made so far. @returns milliseconds */
export function retryPauseMs(attempts: number): number {
  return RETRY_PAUSE_MS * 2 ** Math.min(attempts - 1, 6);
}

const NOWHERE_ELSE: RetryDecision = { kind: "no", because: "exhausted" };

/** After this number of attempts without an answer a request lets others go first: one is a restart's doing. */
const SUSPECT = 2;

export class Retries {
  readonly #head: Head;
  readonly #policy: RetryPolicy;
  readonly #settings: ExchangeSettings;
  readonly #wait: StreamWait;
  /** Null while no attempt was sent and ended without an answer. */
  #losses: Losses | null = null;

  constructor(head: Head, policy: RetryPolicy, settings: ExchangeSettings, wait: StreamWait) {
    this.#head = head;
    this.#policy = policy;
    this.#settings = settings;
    this.#wait = wait;
  }

  /** Attempts that were sent and ended without an answer. */
  get lost(): number {
    return this.#losses === null ? 0 : this.#losses.attempts;
  }

  decide(
    failure: AttemptFailure,
    { stream, endpoint }: Attempt,
    upload: Upload | null,
    pin: PinUse | null,
    attempts: number,
    now: number,
  ): RetryDecision {
    const head = this.#head;
    const { upstream, failsOver = false } = this.#settings;
    // What has taken too long, or answered, gets it again only if nobody else can take it.
    if (failsOver && failure !== "reset") this.#wait.avoid(endpoint);
    const elsewhere = failsOver && failure !== "reset"
      ? this.#wait.choosy
      : attempts < upstream.endpoints.length && upstream.hasOther(endpoint);
    if (failsOver && typeof failure === "number" && !elsewhere) return NOWHERE_ELSE;
    return decideRetry({
      failure,
      sent: stream.requestSeen,
      reused: stream.reused,
      anyResponse: stream.anyResponse,
      responseBegun: typeof failure !== "number" && stream.responseBegun,
      method: head.method,
      idempotencyKey: head.has(Field.idempotencyKey),
      replayable: upload === null || upload.kept.replayable,
      attempts,
      lost: this.#losses === null ? 0 : this.#losses.count,
      timeLeftMs: this.#wait.holdLeftMs(now),
      pinned: pin !== null && pin.boundTo(stream),
      elsewhere,
    }, this.#policy);
  }

  /** An attempt has ended without an answer; see losses.ts. @param how its connection has ended, or it was given up */
  noteLoss({ stream, endpoint }: Attempt, how: "reset" | "timeout", now: number): void {
    if (stream.requestSeen) (this.#losses ??= new Losses()).note(stream, endpoint.life, how === "reset", now);
  }

  /**
   * The request asks for another stream.
   *
   * @param fresh a pooled connection will not do
   * @param sent bytes of it were sent
   */
  prepare(fresh: boolean, failure: "reset" | "timeout", sent: boolean): void {
    const wait = this.#wait;
    // One that may be the cause must not do the same to pooled connections.
    wait.wantsFresh = fresh || wait.choosy || (failure === "reset" && this.#losses !== null);
    wait.isRetry = sent;
    wait.goesLast = this.lost >= SUSPECT;
    wait.probationMs = this.#losses?.probationMs ?? 0;
  }

  /** The same after an answer that is worth another attempt. */
  prepareAfterAnswer(): void {
    this.#wait.isRetry = true;
    this.#wait.wantsFresh = this.#wait.choosy;
  }
}
