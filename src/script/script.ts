/** One generation of one script file: what it exports, made the same whichever of the forms it was written in. */

import { ScriptError } from "../answer/script_error.ts";
import type {
  HttpRequest,
  OnError,
  OnLog,
  OnRequest,
  OnResponse,
  RequestHandler,
  ScriptHooks,
} from "./script_types.ts";
import { fetchHandler } from "./fetch_handler.ts";
import type { ScriptCallNote, ScriptPhase } from "./script_faults.ts";

export interface ScriptSettings {
  /** Longest time for a promise of a hook, in milliseconds. */
  readonly timeoutMs: number;
  /** A response that `onResponse` fails on goes to the client as it is, instead of 502. */
  readonly passesOnError: boolean;
  /** Runs calls into the script; null = they are just made. */
  readonly guard: ScriptGuard | null;
  /** Told of each call; null = nobody would read it. */
  readonly note: ScriptCallNote | null;
}

/** Runs a call so that it cannot go on for ever. */
export interface ScriptGuard {
  /** @throws what `call` throws, or that its time is up */
  call<T>(call: () => T): T;
}

/** Hooks by the names that scripts export. */
const HOOKS = ["onStart", "onRequest", "onResponse", "onError", "onLog", "onStop"] as const;
type HookName = typeof HOOKS[number];

export class Script {
  /** As its path was written. */
  readonly name: string;
  readonly settings: ScriptSettings;
  readonly onRequest: OnRequest | null;
  readonly onResponse: OnResponse | null;
  readonly onError: OnError | null;
  readonly onLog: OnLog | null;
  /** Of a route that it handles; null when it exports none. */
  readonly handler: RequestHandler | null;
  readonly #onStart: (() => void | Promise<void>) | null;
  readonly #onStop: (() => void | Promise<void>) | null;

  /**
   * @param exports of the module
   * @throws ScriptError when it exports nothing that is ever called, or something else under one of the names
   */
  constructor(name: string, exports: Readonly<Record<string, unknown>>, settings: ScriptSettings) {
    this.name = name;
    this.settings = settings;
    const main = exports.default;
    const hooks: { [Name in HookName]?: unknown } = {};
    for (const hook of HOOKS) {
      const own = exports[hook];
      const within = typeof main === "object" && main !== null
        ? (main as Record<string, unknown>)[hook]
        : undefined;
      const found = own ?? within;
      if (found === undefined || found === null) continue;
      if (typeof found !== "function") throw new ScriptError(`${name}: ${hook} is no function`);
      // A hook of an object may use `this`.
      hooks[hook] = own === undefined || own === null ? found.bind(main) : found;
    }
    // The casts: what a function of a script returns is checked whenever it is called.
    const { onStart, onRequest, onResponse, onError, onLog, onStop } = hooks as ScriptHooks;
    const handler = handlerOf(main);
    this.handler = handler;
    // A file that exports a handler only can stand before the routes as well: it answers everything.
    this.onRequest = onRequest ?? handler;
    this.onResponse = onResponse ?? null;
    this.onError = onError ?? null;
    this.onLog = onLog ?? null;
    this.#onStart = onStart ?? null;
    this.#onStop = onStop ?? null;
    if (this.onRequest === null && Object.keys(hooks).length === 0) {
      throw new ScriptError(
        `${name}: exports none of ${HOOKS.join(", ")}, and no default handler, so it would never be called`,
      );
    }
  }

  /** It has something to say after a request was decided. */
  get watches(): boolean {
    return this.onResponse !== null || this.onError !== null || this.onLog !== null;
  }

  /** Calls a hook of its own. @param request that it is about @throws what the hook throws */
  call<First, Second, Result>(
    phase: ScriptPhase,
    request: HttpRequest,
    hook: (first: First, second: Second) => Result,
    first: First,
    second: Second,
  ): Result {
    const { guard, note } = this.settings;
    if (note === null) return guard === null ? hook(first, second) : guard.call(() => hook(first, second));
    note.begin(this.name, phase, request);
    try {
      return guard === null ? hook(first, second) : guard.call(() => hook(first, second));
    } finally {
      note.end();
    }
  }

  /** Runs `onStart` to its end. @throws what it throws */
  async start(): Promise<void> {
    await this.#onStart?.();
  }

  /** Runs `onStop` to its end; no request comes to it any more. @throws what it throws */
  async stop(): Promise<void> {
    await this.#onStop?.();
  }
}

/** @param main the default export */
function handlerOf(main: unknown): RequestHandler | null {
  // The casts: what it returns is checked whenever it is called.
  if (typeof main === "function") return main as RequestHandler;
  if (typeof main !== "object" || main === null) return null;
  const { fetch } = main as ScriptHooks;
  return typeof fetch === "function" ? fetchHandler((request) => fetch.call(main, request)) : null;
}
