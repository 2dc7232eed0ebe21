/** What goes wrong in scripts, and what they say: words and place to standard error, and counters. */

import type { Clock, ScriptLoader } from "../../runtime/contract/contract.ts";
import { ScriptOverrun } from "../../runtime/contract/contract.ts";
import { targetToTell } from "./escape.ts";
import type { ScriptFaults, ScriptPhase, ScriptSubject } from "../script/script_faults.ts";
import type { Fields, Level, Logger } from "./logger.ts";

/** Lines about faults in a minute; a script that fails at each request must not fill a disk. */
const MOST_PER_MINUTE = 20;
const MINUTE_MS = 60_000;
/** Of what one call of `console` says. */
const MOST_LINES = 100;
const MOST_TARGET = 200;

export const SCRIPT_FAULTS = ["error", "timeout", "stalled", "slow"] as const;
export type ScriptFaultKind = typeof SCRIPT_FAULTS[number];

/** How often each kind of fault has happened in one script. */
export type ScriptCounts = Readonly<Record<ScriptFaultKind, number>>;

const EVENTS: Readonly<Record<ScriptFaultKind, readonly [event: string, level: Level]>> = {
  error: ["script_error", "error"],
  timeout: ["script_timeout", "warn"],
  stalled: ["script_stalled", "error"],
  slow: ["script_slow", "warn"],
};

export class ScriptLog implements ScriptFaults {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #loader: Pick<ScriptLoader, "describe">;
  readonly #counts = new Map<string, Record<ScriptFaultKind, number>>();
  #minuteBegan = -Infinity;
  #lines = 0;
  #leftOut = 0;

  constructor(clock: Clock, logger: Logger, loader: Pick<ScriptLoader, "describe">) {
    this.#clock = clock;
    this.#logger = logger;
    this.#loader = loader;
  }

  /** By script. */
  get counts(): ReadonlyMap<string, ScriptCounts> {
    return this.#counts;
  }

  /** Forgets scripts that are not there any more. */
  keepOnly(scripts: readonly string[]): void {
    for (const script of this.#counts.keys()) if (!scripts.includes(script)) this.#counts.delete(script);
  }

  failed(script: string, phase: ScriptPhase, error: unknown, subject: ScriptSubject): void {
    if (error instanceof ScriptOverrun) {
      this.#tell("stalled", script, phase, `${phase} ${error.message}`, {}, subject);
      return;
    }
    const { words, places } = this.#loader.describe(error);
    const at: Fields = places.length === 0 ? {} : { at: places.join(" < ") };
    this.#tell("error", script, phase, words, at, subject);
  }

  timedOut(script: string, phase: ScriptPhase, afterMs: number, subject: ScriptSubject): void {
    this.#tell("timeout", script, phase, `its promise was not settled within ${afterMs} ms`, {}, subject);
  }

  slow(script: string, phase: ScriptPhase, ms: number, subject: ScriptSubject): void {
    this.#tell(
      "slow",
      script,
      phase,
      `one call has kept everything else waiting for ${Math.round(ms)} ms`,
      {},
      subject,
    );
  }

  /** It has called a function of `console`, or `log`. */
  print(script: string, level: "info" | "error", words: string, fields: Fields = {}): void {
    const lines = words.split("\n");
    for (const line of lines.slice(0, MOST_LINES)) {
      this.#logger.log(level, "script", line, { script, ...fields });
    }
  }

  #tell(
    kind: ScriptFaultKind,
    script: string,
    phase: ScriptPhase,
    words: string,
    fields: Fields,
    subject: ScriptSubject,
  ): void {
    this.#count(script, kind);
    const now = this.#clock.now();
    if (now - this.#minuteBegan >= MINUTE_MS) {
      this.#reportLeftOut();
      this.#minuteBegan = now;
      this.#lines = 0;
    }
    if (this.#lines >= MOST_PER_MINUTE) {
      // One timer for all that are left out: whoever reads the log is told though nothing follows.
      if (this.#leftOut++ === 0) {
        this.#clock.setTimer(MINUTE_MS - (now - this.#minuteBegan), () => this.#reportLeftOut(), true);
      }
      return;
    }
    this.#lines++;
    const [event, level] = EVENTS[kind];
    const request: Fields = subject === null ? {} : { request: requestToTell(subject.method, subject.uri) };
    this.#logger.log(level, event, words, { script, in: phase, ...fields, ...request });
  }

  #count(script: string, kind: ScriptFaultKind): void {
    let counts = this.#counts.get(script);
    if (counts === undefined) {
      counts = { error: 0, timeout: 0, stalled: 0, slow: 0 };
      this.#counts.set(script, counts);
    }
    counts[kind]++;
  }

  #reportLeftOut(): void {
    const left = this.#leftOut;
    this.#leftOut = 0;
    if (left > 0) {
      this.#logger.error("script_error", `${left} more lines about scripts were left out`, {
        suppressed: left,
      });
    }
  }
}

/** A request that something has happened to, in a log line about a script. */
export function requestToTell(method: string, uri: string): string {
  return `${method} ${targetToTell(uri).slice(0, MOST_TARGET)}`;
}
