/** What a script in a worker has of the Sluice around it: for one script of one generation, until that is over. */

import { type Clock, type System, SystemError, type Timer } from "../../../runtime/contract/contract.ts";
import { ScriptError } from "../../answer/script_error.ts";
import { folderOf, pathWithin } from "../../config/build_scripts.ts";
import type { Fields } from "../../observe/logger.ts";
import type { ScriptLog } from "../../observe/script_log.ts";
import type { ScriptApiHost, UpstreamInit } from "../../script/script_api.ts";
import type { ScriptHost } from "../../script/script_host.ts";

/** Between two looks at a file. */
const LOOK_MS = 1000;
const MOST_FIELDS = 20;

export interface ScriptSurroundings {
  readonly clock: Clock;
  readonly system: System;
  readonly log: Pick<ScriptLog, "print" | "failed">;
  readonly worker: ScriptApiHost["worker"];
  /** Null before anything is served. */
  readonly requests: ScriptHost | null;
  setUpstream(name: string, how: UpstreamInit): Promise<void>;
}

export class ScriptContext implements ScriptApiHost {
  readonly worker: ScriptApiHost["worker"];
  readonly #script: string;
  /** Null once it is over: what is left of the script, in a cache of modules say, keeps nothing of ours. */
  #around: ScriptSurroundings | null;
  readonly #watches = new Set<Watch>();

  /** @param script as its path was written */
  constructor(script: string, around: ScriptSurroundings) {
    this.#script = script;
    this.#around = around;
    this.worker = around.worker;
  }

  end(): void {
    this.#around = null;
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
  }

  get requests(): ScriptHost | null {
    return this.#around?.requests ?? null;
  }

  async setUpstream(name: string, how: UpstreamInit): Promise<void> {
    await this.#there("setUpstream").setUpstream(name, how);
  }

  /** A path is relative to the script's file. */
  async watchFile(path: string, changed: (text: string) => void | Promise<void>): Promise<() => void> {
    const around = this.#there("watchFile");
    if (typeof path !== "string" || typeof changed !== "function") {
      throw new ScriptError("watchFile: needs a path and a function");
    }
    const whole = pathWithin(folderOf(this.#script), path);
    let text: string;
    try {
      text = await around.system.readText(whole);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      throw new ScriptError(`watchFile: ${whole}: ${error.message}`);
    }
    await changed(text);
    const tell = async (next: string) => {
      try {
        await changed(next);
      } catch (error) {
        this.#around?.log.failed(this.#script, "event", error, null);
      }
    };
    const watch = new Watch(around.clock, around.system, whole, text, tell);
    if (this.#around === null) watch.end();
    else this.#watches.add(watch);
    return () => {
      watch.end();
      this.#watches.delete(watch);
    };
  }

  log(words: string, fields: Readonly<Record<string, unknown>>): void {
    this.#around?.log.print(this.#script, "info", String(words), fieldsOf(fields));
  }

  #there(what: string): ScriptSurroundings {
    if (this.#around === null) throw new ScriptError(`${what}: another version of the script serves now`);
    return this.#around;
  }
}

/** Looks at a file once a second; one that cannot be read is as it was. */
class Watch {
  readonly #clock: Clock;
  readonly #system: System;
  readonly #path: string;
  readonly #tell: (text: string) => Promise<void>;
  #text: string;
  #timer: Timer | null = null;
  #ended = false;

  constructor(
    clock: Clock,
    system: System,
    path: string,
    text: string,
    tell: (text: string) => Promise<void>,
  ) {
    this.#clock = clock;
    this.#system = system;
    this.#path = path;
    this.#text = text;
    this.#tell = tell;
    this.#later();
  }

  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  #later(): void {
    if (!this.#ended) this.#timer = this.#clock.setTimer(LOOK_MS, () => void this.#look(), true);
  }

  async #look(): Promise<void> {
    try {
      const text = await this.#system.readText(this.#path);
      if (text !== this.#text && !this.#ended) {
        this.#text = text;
        await this.#tell(text);
      }
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
    this.#later();
  }
}

/** What a script gives as fields, as far as a log line can have them. */
function fieldsOf(given: unknown): Fields {
  if (typeof given !== "object" || given === null) return {};
  const fields: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(given).slice(0, MOST_FIELDS)) {
    fields[name.replace(/[^\w.-]/g, "_")] = plain(value);
  }
  return fields;
}

function plain(value: unknown): string | number | boolean {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
