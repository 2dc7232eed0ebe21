/**
 * Scripts in a worker, from one configuration to the next: what serves, what is being prepared, and what is over but still has
 * requests. A request keeps the scripts it has begun with.
 */

import type { Clock, ScriptGuard, System, Timer } from "../../../runtime/contract/contract.ts";
import { scriptFiles } from "../../config/build_scripts.ts";
import type { Config, ScriptConfig } from "../../config/values/config.ts";
import { ScriptLog } from "../../observe/script_log.ts";
import type { Telemetry } from "../../observe/telemetry.ts";
import { LoadedScripts, type ScriptParts } from "./loaded_scripts.ts";
import type { ScriptCallNote } from "../../script/script_faults.ts";
import type { ScriptHost } from "../../script/script_host.ts";

/** Between two looks whether requests of scripts that are over have ended. */
const LOOK_MS = 250;
/** What a guarded call gets, at most. */
const GUARD_MS = 1000;
/** For how long `guard: auto` guards a worker that replaces one that had to be ended. */
export const GUARDED_MS = 10 * 60_000;

/** Which worker it is, and what became of the one before it. */
export interface ScriptPlace {
  readonly index: number;
  readonly count: number;
  /** The worker in whose place it is had to be ended, because a script did not come to an end. */
  readonly suspected: boolean;
  /** Where calls are noted; null = nobody would read it. */
  readonly note: () => ScriptCallNote | null;
}

export class Scripting {
  readonly log: ScriptLog;
  /** What scripts send requests through; null before anything is served. */
  requests: ScriptHost | null = null;
  /** A script that serves has set an upstream. Resolves when it is used. */
  onUpstreamSet: () => Promise<void> = () => Promise.resolve();
  readonly #clock: Clock;
  readonly #system: System;
  readonly #place: ScriptPlace;
  readonly #guardedUntil: number;
  #current: LoadedScripts | null = null;
  readonly #over = new Set<Over>();

  constructor(clock: Clock, system: System, telemetry: Telemetry, place: ScriptPlace) {
    this.#clock = clock;
    this.#system = system;
    this.#place = place;
    this.#guardedUntil = place.suspected ? clock.now() + GUARDED_MS : -Infinity;
    this.log = new ScriptLog(clock, telemetry.logger, system.scripts);
  }

  /** What serves. */
  get current(): LoadedScripts | null {
    return this.#current;
  }

  /**
   * The scripts of a configuration, ready to serve.
   *
   * @param anew otherwise those that serve go on, where the configuration names the same files
   * @throws ScriptLoadFault
   */
  async prepare(config: Config, anew: boolean): Promise<LoadedScripts | null> {
    const current = this.#current;
    if (!anew && current !== null && current.serves(config)) return current;
    const loaded = await LoadedScripts.load(this.#parts(config), config);
    for (const { file, message } of loaded?.warnings ?? []) {
      this.log.print(file, "error", message);
    }
    return loaded;
  }

  /** They are not wanted after all. */
  async drop(prepared: LoadedScripts | null): Promise<void> {
    if (prepared !== this.#current) await prepared?.end();
  }

  /**
   * They serve from now on.
   *
   * @param busy whether requests are under way that had begun before
   * @param mostMs what these get
   */
  use(prepared: LoadedScripts | null, config: Config, busy: () => boolean, mostMs: number): void {
    const before = this.#current;
    this.#current = prepared;
    this.log.keepOnly(scriptFiles(config));
    if (before === null || before === prepared) return;
    const over = new Over(this.#clock, before, busy, mostMs, () => this.#over.delete(over));
    this.#over.add(over);
    over.look();
  }

  /** Nothing is under way any more. Resolves when all have been told. */
  async end(): Promise<void> {
    const current = this.#current;
    this.#current = null;
    await Promise.all([current?.end(), ...[...this.#over].map((over) => over.end())]);
  }

  #parts(config: Config): ScriptParts {
    const { log } = this;
    const requests = () => this.requests;
    const { index, count } = this.#place;
    return {
      clock: this.#clock,
      loader: this.#system.scripts,
      faults: log,
      print: (name, level, words) => log.print(name, level, words),
      around: {
        clock: this.#clock,
        system: this.#system,
        log,
        worker: { index, count },
        get requests() {
          return requests();
        },
      },
      config: () => config,
      upstreamSet: async (scripts) => {
        // What is being prepared is not used yet, and gets it when it is.
        if (scripts === this.#current) await this.onUpstreamSet();
      },
      note: config.script === null ? null : this.#place.note(),
      guard: config.script === null ? null : this.#guard(config.script),
    };
  }

  #guard({ guard: when, stallMs }: ScriptConfig): ScriptGuard | null {
    const { scripts } = this.#system;
    // Before the supervisor loses its patience.
    const limitMs = Math.min(GUARD_MS, stallMs / 2);
    if (when === "always") return scripts.guard(limitMs);
    if (when === "never" || this.#clock.now() >= this.#guardedUntil) return null;
    const guard = scripts.guard(limitMs);
    return guard === null ? null : new PassingGuard(this.#clock, guard, this.#guardedUntil);
  }
}

/** Guards for a while. */
class PassingGuard implements ScriptGuard {
  readonly #clock: Clock;
  readonly #until: number;
  #guard: ScriptGuard | null;

  constructor(clock: Clock, guard: ScriptGuard, until: number) {
    this.#clock = clock;
    this.#until = until;
    this.#guard = guard;
  }

  call<T>(run: () => T): T {
    const guard = this.#guard;
    if (guard === null) return run();
    if (this.#clock.now() >= this.#until) this.#guard = null;
    return guard.call(run);
  }
}

/** Scripts that are over, until their last request has ended or its time is up. */
class Over {
  readonly #clock: Clock;
  readonly #scripts: LoadedScripts;
  readonly #busy: () => boolean;
  readonly #until: number;
  readonly #ended: () => void;
  #timer: Timer | null = null;

  constructor(clock: Clock, scripts: LoadedScripts, busy: () => boolean, mostMs: number, ended: () => void) {
    this.#clock = clock;
    this.#scripts = scripts;
    this.#busy = busy;
    this.#until = clock.now() + mostMs;
    this.#ended = ended;
  }

  look(): void {
    if (!this.#busy() || this.#clock.now() >= this.#until) void this.end();
    else this.#timer = this.#clock.setTimer(LOOK_MS, () => this.look(), true);
  }

  async end(): Promise<void> {
    this.#timer?.cancel();
    await this.#scripts.end();
    this.#ended();
  }
}
