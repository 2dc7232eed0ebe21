/**
 * One loaded script: what it has instead of the platform's own timers and `console`, and how what it throws by itself is known
 * to be its own. The platform's loaders put these things in the place of the global ones.
 */
import process from "node:process";
import type { Writable } from "node:stream";
import type { ScriptApis, ScriptEvents } from "../contract/contract.ts";
import { refuseScriptExit } from "./process_end.ts";
import { streamModule } from "./lazy_module.ts";
import { scriptPlaces } from "./script_places.ts";

/** Where the code that loaders generate finds its generation. */
const REGISTRY = Symbol.for("sluice.script.generations");
/** An expression for generated code. */
export const REGISTRY_EXPRESSION = 'globalThis[Symbol.for("sluice.script.generations")]';

/** util.promisify(setTimeout) asks for it. */
const PROMISIFY = Symbol.for("nodejs.util.promisify.custom");

type Handle = ReturnType<typeof setTimeout> | ReturnType<typeof setImmediate>;
type Callback = (...args: unknown[]) => unknown;

const NOBODY: ScriptEvents = { failed: () => {}, printed: () => {}, guard: null };

const live = new Map<number, ScriptGeneration>();
/** Every file that ever belonged to a script. */
const known = new Set<string>();
let last = 0;

/** What a script has in the place of the global functions of these names. */
export const REPLACED = [
  "setTimeout",
  "setInterval",
  "setImmediate",
  "clearTimeout",
  "clearInterval",
  "clearImmediate",
  "console",
] as const;

const UNTOLD = (): void => {};
let tellTimer: (ms?: number) => void = UNTOLD;

/**
 * A loop that waits by itself, and is not woken by the platform's timers, is told of those of scripts.
 *
 * @param tell after how many milliseconds it has to let the platform go on
 */
export function onScriptTimer(tell: (ms?: number) => void): void {
  tellTimer = tell;
}

let foretold = false;

/** Of node:timers/promises, too, which scripts import for themselves; before the first of them does. */
function foretellPromises(): void {
  if (foretold) return;
  foretold = true;
  const promises = process.getBuiltinModule("node:timers/promises");
  const { setTimeout, setImmediate, setInterval } = promises;
  Object.assign(promises, {
    setTimeout: (ms?: number, ...rest: []) => {
      tellTimer(ms);
      return setTimeout(ms, ...rest);
    },
    setImmediate: (...rest: []) => {
      tellTimer(0);
      return setImmediate(...rest);
    },
    async *setInterval(ms?: number, ...rest: []) {
      tellTimer(ms);
      for await (const value of setInterval(ms, ...rest)) {
        tellTimer(ms);
        yield value;
      }
    },
  });
}

export class ScriptGeneration {
  readonly id: number;
  /** Empty once it is over. */
  apis: ScriptApis;
  readonly #files = new Set<string>();
  #events: ScriptEvents;
  readonly #timers = new Set<Handle>();
  #retired = false;
  readonly setTimeout: (run: Callback, ms?: number, ...args: unknown[]) => Handle;
  readonly setInterval: (run: Callback, ms?: number, ...args: unknown[]) => Handle;
  readonly setImmediate: (run: Callback, ...args: unknown[]) => Handle;
  readonly clearTimeout: (handle?: Handle) => void;
  readonly clearInterval: (handle?: Handle) => void;
  readonly clearImmediate: (handle?: Handle) => void;
  readonly console: Console;

  constructor(apis: ScriptApis, events: ScriptEvents) {
    this.id = ++last;
    this.apis = apis;
    this.#events = events;
    const platform = globalThis;
    this.setTimeout = (run, ms, ...args) => {
      tellTimer(ms);
      const handle: Handle = original.setTimeout(() => {
        this.#timers.delete(handle);
        this.#run(run, args);
      }, ms);
      return this.#keep(handle);
    };
    this.setInterval = (run, ms, ...args) => {
      tellTimer(ms);
      return this.#keep(original.setInterval(() => {
        tellTimer(ms);
        this.#run(run, args);
      }, ms));
    };
    this.setImmediate = (run, ...args) => {
      tellTimer(0);
      const handle: Handle = original.setImmediate(() => {
        this.#timers.delete(handle);
        this.#run(run, args);
      });
      return this.#keep(handle);
    };
    Reflect.set(
      this.setTimeout,
      PROMISIFY,
      (ms: number, value: unknown) => new Promise((done) => this.setTimeout(done, ms, value)),
    );
    // The platforms' functions take a handle of any kind.
    this.clearTimeout = this.clearInterval = (handle) => {
      if (handle === undefined) return;
      this.#timers.delete(handle);
      original.clearTimeout(handle as ReturnType<typeof setTimeout>);
    };
    this.clearImmediate = (handle) => {
      if (handle === undefined) return;
      this.#timers.delete(handle);
      original.clearImmediate(handle as ReturnType<typeof setImmediate>);
    };
    this.console = ownConsole((level, words) => this.#events.printed(level, words));
    live.set(this.id, this);
    Reflect.set(platform, REGISTRY, live);
    refuseScriptExit();
    if (tellTimer !== UNTOLD) foretellPromises();
  }

  /** Absolute; grows while it is being loaded. */
  get files(): ReadonlySet<string> {
    return this.#files;
  }

  addFile(file: string): void {
    this.#files.add(file);
    known.add(file);
  }

  /** Null = it is over, or there was none. */
  static of(id: number): ScriptGeneration | null {
    return live.get(id) ?? null;
  }

  /** @see LoadedModule.retire */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    live.delete(this.id);
    for (const handle of this.#timers) {
      original.clearTimeout(handle as ReturnType<typeof setTimeout>);
      original.clearImmediate(handle as ReturnType<typeof setImmediate>);
    }
    this.#timers.clear();
    // Node and Deno keep the modules, and so this: nothing of ours is to be reached from it.
    this.apis = {};
    this.#events = NOBODY;
  }

  failed(phase: "timer" | "promise" | "event", error: unknown): void {
    if (!this.#retired) this.#events.failed(phase, error);
  }

  #keep(handle: Handle): Handle {
    if (this.#retired) {
      // What is left of a generation that is over, a loop that waits between its turns, goes no further.
      original.clearTimeout(handle as ReturnType<typeof setTimeout>);
      original.clearImmediate(handle as ReturnType<typeof setImmediate>);
    } else this.#timers.add(handle);
    return handle;
  }

  #run(run: Callback, args: readonly unknown[]): void {
    try {
      const { guard } = this.#events;
      const result = guard === null ? run(...args) : guard.call(() => run(...args));
      // An async function is one whose promise nobody looks at.
      if (result instanceof Promise) result.catch((error: unknown) => this.failed("timer", error));
    } catch (error) {
      this.failed("timer", error);
    }
  }
}

/** The platform's, before anybody replaces them. */
const original = { setTimeout, setInterval, setImmediate, clearTimeout, clearImmediate };

/**
 * Tells the script whose uncaught exception, or unhandled rejection, it is.
 * @returns false when it is nobody's
 */
export function tellOwner(phase: "promise" | "event", error: unknown): boolean {
  if (known.size === 0) return false;
  const newest = [...live.values()].toReversed();
  if (!(error instanceof Error)) {
    // Sluice throws errors only.
    newest[0]?.failed(phase, error);
    return newest.length > 0;
  }
  const place = scriptPlaces(error).find(({ file }) => known.has(file));
  if (place === undefined) return false;
  // What a generation does that is over concerns nobody.
  const owner = place.generation === 0
    ? newest.find(({ files }) => files.has(place.file))
    : live.get(place.generation);
  owner?.failed(phase, error);
  return true;
}

/** Whether it is, or was, a file of a script. */
export function isScriptFile(file: string): boolean {
  return known.has(file);
}

function ownConsole(print: (level: "info" | "error", words: string) => void): Console {
  let made: Console | null = null;
  const make = (): Console => {
    const { Writable } = streamModule();
    const stream = (level: "info" | "error"): Writable =>
      new Writable({
        decodeStrings: false,
        write(chunk: unknown, _encoding, done) {
          print(level, String(chunk).replace(/\n$/, ""));
          done();
        },
      });
    const { Console } = process.getBuiltinModule("node:console") as unknown as {
      readonly Console: new (options: { stdout: Writable; stderr: Writable; colorMode: false }) => Console;
    };
    return new Console({ stdout: stream("info"), stderr: stream("error"), colorMode: false });
  };
  // Most scripts print nothing: node:stream is not loaded for them.
  return new Proxy({} as Console, {
    get(_target, name) {
      made ??= make();
      return Reflect.get(made, name);
    },
    has(_target, name) {
      made ??= make();
      return Reflect.has(made, name);
    },
  });
}

let over: ScriptGeneration | null = null;

/** Stands for all generations that are over: begins no timer, and its `console` is told to nobody. */
export function overGeneration(): ScriptGeneration {
  if (over === null) {
    over = new ScriptGeneration({}, NOBODY);
    over.retire();
  }
  return over;
}
