/** The process that is to take our place: started, watched, and believed only when it serves. */

import type { HandoverState } from "../../control/handover_state.ts";
import { LINEAGE_PROTOCOL, type ToElder, type ToHeir } from "../../process/supervisor/lineage_messages.ts";
import type { NamedUpstream } from "../../process/supervisor/lineage_names.ts";
import type { LimitedEndpoint } from "../../process/worker/limits.ts";
import {
  type Address,
  type Clock,
  FIRST_GIVEN_DESCRIPTOR,
  type System,
  SystemError,
  type WorkerProcess,
} from "../../../runtime/contract/contract.ts";
import type { Outcome, Refusal, RefusalCode } from "../../control/plane.ts";
import type { GivenSocket } from "../../process/shared/sockets.ts";
import { inOurWords, inWordsOf } from "./former_messages.ts";
import {
  SUCCESSION_PROTOCOL,
  type ToPredecessor,
  type ToSuccessor,
  VOCABULARY,
  type Yours,
} from "./succession.ts";

export interface SuccessorOptions {
  /** Its file; null = our own, or what has replaced it. */
  readonly binary: string | null;
  readonly sockets: readonly GivenSocket[];
  readonly listening: readonly Address[];
  /** What it goes on with; asked for when it is told. */
  readonly handover: () => HandoverState;
  /** The same when it takes over the names. Afterwards nothing changes here unless it fails. */
  readonly yours: () => Omit<Yours, "type">;
  readonly pid: number;
  /** Endpoints with a limit. */
  readonly limits: readonly LimitedEndpoint[];
  readonly upstreams: readonly NamedUpstream[];
  /** From the start of the process to `mine`. Milliseconds. */
  readonly timeoutMs: number;
}

/** Leads the process that it starts through the succession (see succession.ts). */
export class Successor {
  readonly #clock: Clock;
  readonly #options: SuccessorOptions;
  readonly #outcome = Promise.withResolvers<Outcome<{ readonly pid: number }>>();
  #child: WorkerProcess | null = null;
  #phase: "starting" | "trial" | "taking_over" | "over" = "starting";
  /** What it has told; undefined = it does not know of any. */
  #vocabulary: number | undefined;
  #why: readonly string[] = [];
  /** The names have been given to it: pid file, port file, control socket. */
  hadNames = false;
  /** It leads us while we drain. */
  leads = false;
  /** What it has said as our heir before anybody listened. */
  #early: ToElder[] = [];
  #heirSays: ((message: ToElder) => void) | null = null;
  readonly #gone = Promise.withResolvers<void>();

  constructor(clock: Clock, options: SuccessorOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /**
   * To be called once.
   *
   * @param started told the process's id
   * @returns what became of it: it serves and has the names, or it is gone and this is why
   */
  async run(system: System, started: (pid: number) => void): Promise<Outcome<{ readonly pid: number }>> {
    const { binary, sockets, timeoutMs } = this.#options;
    try {
      this.#child = system.startSuccessor(binary, {
        message: (message) => this.#heard(message),
        exited: (how) => this.#exited(how),
      }, sockets.map(({ descriptor }) => descriptor));
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return refusal("failed", `the new program cannot be started: ${error.message}`);
    }
    if (this.#child.pid > 0) started(this.#child.pid);
    const timer = this.#clock.setTimer(timeoutMs, () => {
      const said = this.#phase === "starting" ? "has not said that it is Sluice" : "does not serve";
      this.#fail("timeout", `the new program ${said} after ${timeoutMs / 1000} s`);
    });
    const outcome = await this.#outcome.promise;
    timer.cancel();
    return outcome;
  }

  /** Nothing of ours is on its way to these upstreams any more. */
  quiet(upstreams: readonly string[]): void {
    this.#send({ type: "quiet", upstreams });
  }

  /** Tells it what concerns it while we drain. */
  tell(message: ToHeir): void {
    this.#send({ type: "elder", message });
  }

  /** @param heard told what it says while we drain, from the first word */
  listen(heard: (message: ToElder) => void): void {
    this.#heirSays = heard;
    for (const message of this.#early.splice(0)) heard(message);
  }

  /** Resolves when all that it was told is on its way. */
  async flush(): Promise<void> {
    await this.#child?.channel.flush();
  }

  /** Resolves when its process has ended. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Calls it off: it ends, and we stay. */
  cancel(why: string): void {
    this.#fail("failed", why);
  }

  #heard(message: unknown): void {
    if (typeof message !== "object" || message === null) return;
    // The cast: whatever it is that was started, `type` decides what is believed.
    const heard = inOurWords(message as Readonly<Record<string, unknown>>) as ToPredecessor;
    // It follows at once on `mine`.
    if (heard.type === "heir" && this.leads) {
      if (this.#heirSays !== null) this.#heirSays(heard.message);
      else if (this.hadNames) this.#early.push(heard.message);
      return;
    }
    if (this.#phase === "over") return;
    switch (heard.type) {
      case "hello":
        if (heard.protocol !== SUCCESSION_PROTOCOL) {
          this.#fail(
            "failed",
            `the new program is Sluice ${heard.version}, which cannot take over from this version`,
          );
        } else if (this.#phase === "starting") {
          this.#phase = "trial";
          this.#vocabulary = heard.vocabulary;
          this.leads = heard.lineage === LINEAGE_PROTOCOL;
          const sockets = this.#options.sockets
            .map((socket, at) => ({ ...socket, descriptor: FIRST_GIVEN_DESCRIPTOR + at }));
          this.#send({
            type: "take",
            sockets,
            listening: this.#options.listening,
            handover: this.#options.handover(),
            pid: this.#options.pid,
            vocabulary: VOCABULARY,
            lineage: LINEAGE_PROTOCOL,
            limits: this.#options.limits,
            upstreams: this.#options.upstreams,
          });
        }
        return;
      case "ready":
        if (this.#phase !== "trial") return;
        this.#phase = "taking_over";
        this.hadNames = true;
        this.#send({ type: "yours", ...this.#options.yours() });
        return;
      case "mine":
        if (this.#phase === "taking_over") this.#settle({ ok: true, pid: this.#child?.pid ?? 0 });
        return;
      case "failed":
        this.#why = heard.lines;
    }
  }

  #exited({ code, signal, detail }: { code: number | null; signal: string; detail: string }): void {
    this.#gone.resolve();
    if (this.#child?.pid === 0 || detail !== "") {
      this.#fail("failed", `the new program cannot be started: ${detail}`);
      return;
    }
    const how = code === null ? `was ended by ${signal}` : `ended with exit code ${code}`;
    const when = this.#phase === "starting" ? " and has not said that it is Sluice" : " before it served";
    this.#fail("failed", `the new program ${how}${when}`);
  }

  #fail(code: RefusalCode, message: string): void {
    if (this.#phase === "over") return;
    this.#child?.kill();
    this.#settle(refusal(code, `${message}`, this.#why));
  }

  #settle(outcome: Outcome<{ readonly pid: number }>): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#outcome.resolve(outcome);
  }

  #send(message: ToSuccessor): void {
    this.#child?.channel.send(inWordsOf(this.#vocabulary, message));
  }
}

function refusal(code: RefusalCode, message: string, problems: readonly string[] = []): Refusal {
  return { ok: false, code, message, ...(problems.length === 0 ? {} : { problems }) };
}
