/** Scripts where nothing leaves: loaded as a worker loads them, with stubs in the place of sub-requests, and watched. */

import type {
  Clock,
  DescribedError,
  ScriptApis,
  ScriptGuard,
  System,
} from "../../../runtime/contract/contract.ts";
import { ScriptError } from "../../answer/script_error.ts";
import type { Config } from "../../config/values/config.ts";
import type { Fields } from "../../observe/logger.ts";
import { LoadedScripts } from "../../process/worker/loaded_scripts.ts";
import { isDecision, type MadeDecision } from "../../script/decision.ts";
import type { ScriptApi } from "../../script/script_api.ts";
import type { ScriptFaults, ScriptPhase } from "../../script/script_faults.ts";
import type { ScriptHost } from "../../script/script_host.ts";
import type { Asked, AskOptions, Fields as MessageFields } from "../../script/script_types.ts";

/** What `ask` gets from an upstream. */
export interface Stub {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** A sub-request that a script has made. */
export interface DryAsk {
  readonly upstream: string;
  readonly method: string;
  readonly uri: string;
}

/** What scripts have done, in order. */
export interface DryNotes {
  /** What hooks have given back, in words: `to app`, `nothing`. */
  readonly decisions: string[];
  readonly asked: DryAsk[];
  /** What went wrong in them, in words, with the place. */
  readonly faults: string[];
  /** What they have logged, or written to the console. */
  readonly said: string[];
}

/** Loads the scripts of a configuration; their `onStart` is run only where it is said. */
export class DryScripts {
  readonly notes: DryNotes = { decisions: [], asked: [], faults: [], said: [] };
  readonly stubs = new Map<string, Stub>();
  /** What they send requests through, once there is one. */
  requests: ScriptHost | null = null;
  readonly #clock: Clock;
  readonly #system: System;

  /** @param clock time that passes */
  constructor(clock: Clock, system: System) {
    this.#clock = clock;
    this.#system = system;
  }

  /**
   * @param starts `onStart` is run as well
   * @throws ScriptLoadFault
   */
  load(config: Config, starts: boolean): Promise<LoadedScripts | null> {
    const { notes } = this;
    const requests = () => this.requests;
    const log = {
      print: (_script: string, _level: unknown, words: string, fields: Fields = {}) => {
        const more = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`).join("");
        notes.said.push(words + more);
      },
      failed: (script: string, phase: ScriptPhase, error: unknown) => this.#fault(script, phase, error),
    };
    const faults: ScriptFaults = {
      failed: log.failed,
      timedOut: (script, phase, ms) => void notes.faults.push(`${script} ${phase}: nothing within ${ms} ms`),
      slow: () => {},
    };
    return LoadedScripts.load(
      {
        clock: this.#clock,
        loader: this.#system.scripts,
        faults,
        print: log.print,
        around: {
          clock: this.#clock,
          system: this.#system,
          log,
          worker: { index: 0, count: 1 },
          get requests() {
            return requests();
          },
        },
        upstreamSet: () => Promise.resolve(),
        config: () => config,
        guard: new Recorder(notes),
        note: null,
        apis: (api) => this.#apis(api),
      },
      config,
      starts,
    );
  }

  #apis(api: ScriptApi): ScriptApis {
    // The cast: functions and values by name.
    const own = { ...api, ask: (upstream: string, how?: AskOptions) => this.#ask(upstream, how) };
    return { sluice: own as unknown as Readonly<Record<string, unknown>> };
  }

  #ask(upstream: string, { method = "GET", uri = "/" }: AskOptions = {}): Promise<Asked> {
    this.notes.asked.push({ upstream, method, uri });
    const stub = this.stubs.get(upstream);
    if (stub === undefined) {
      return Promise.reject(
        new ScriptError(`ask: nothing stands in for ${upstream} here: --stub ${upstream}=200`),
      );
    }
    const bytes = new TextEncoder().encode(stub.body);
    return Promise.resolve({
      status: stub.status,
      headers: new StubFields(stub.headers),
      bytes,
      text: () => stub.body,
    });
  }

  #fault(script: string, phase: ScriptPhase, error: unknown): void {
    const { words, places }: DescribedError = this.#system.scripts.describe(error);
    const place = places[0] === undefined ? "" : ` (${places[0]})`;
    this.notes.faults.push(`${script} ${phase}: ${words}${place}`);
  }
}

/** Stands where a guard would, so it sees what every hook gives back. */
class Recorder implements ScriptGuard {
  readonly #notes: DryNotes;

  constructor(notes: DryNotes) {
    this.#notes = notes;
  }

  call<T>(run: () => T): T {
    const result = run();
    if (result instanceof Promise) {
      result.then((value) => this.#note(value), () => {});
    } else this.#note(result);
    return result;
  }

  #note(value: unknown): void {
    this.#notes.decisions.push(decisionWords(value));
  }
}

/** `to app`, `reject 403`, `nothing` */
export function decisionWords(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (!isDecision(value)) {
    const { status, code } = value as { readonly status?: unknown; readonly code?: unknown };
    return typeof value === "object" ? `an answer, ${String(status ?? code ?? 200)}` : `a ${typeof value}`;
  }
  return madeWords(value);
}

function madeWords(made: MadeDecision): string {
  switch (made.kind) {
    case "to":
    case "tunnel":
      return `${made.kind} ${made.upstream}`;
    case "next":
      return made.plan === null ? "next" : "next, changed";
    case "reject":
      return `reject ${made.status}${made.words === "" ? "" : ` ${JSON.stringify(made.words)}`}`;
    case "respond":
      return `respond ${made.answer.status}`;
    case "pass":
      return `pass${made.status === null ? "" : ` as ${made.status}`}`;
  }
}

class StubFields implements MessageFields {
  readonly #lines: Stub["headers"];

  constructor(lines: Stub["headers"]) {
    this.#lines = lines;
  }

  get(name: string): string | null {
    const all = this.all(name);
    return all.length === 0 ? null : all.join(", ");
  }

  all(name: string): readonly string[] {
    const lower = name.toLowerCase();
    return this.#lines.filter(([each]) => each.toLowerCase() === lower).map(([, value]) => value);
  }

  has(name: string): boolean {
    return this.all(name).length > 0;
  }

  [Symbol.iterator](): Iterator<readonly [string, string]> {
    return this.#lines[Symbol.iterator]();
  }
}
