/** What scripts import from "sluice": decisions, tools, and what needs the Sluice around them. */

import { ScriptError } from "../answer/script_error.ts";
import { next, pass, reject, respond, to, tunnel } from "./decision.ts";
import { hash } from "./hash.ts";
import { ask } from "./inner_request.ts";
import { router } from "./path_router.ts";
import type { ScriptHost } from "./script_host.ts";
import type { Asked, AskOptions } from "./script_types.ts";

/** An upstream as scripts describe it: endpoints, and options by the names of the configuration. */
export type UpstreamInit =
  & { readonly endpoints: readonly (string | number)[] }
  & Readonly<Record<string, unknown>>;

/** The Sluice around one generation of scripts. */
export interface ScriptApiHost {
  /** Null before it serves. */
  readonly requests: ScriptHost | null;
  /** Index from 0, and how many there are. */
  readonly worker: { readonly index: number; readonly count: number };
  /** @throws ScriptError (as a rejection) when it is no upstream; nothing has changed then */
  setUpstream(name: string, how: UpstreamInit): Promise<void>;
  /**
   * Reads a file now, and whenever it has changed.
   *
   * @returns ends the watch
   */
  watchFile(path: string, changed: (text: string) => void | Promise<void>): Promise<() => void>;
  log(words: string, fields: Readonly<Record<string, unknown>>): void;
}

/** Under the names that scripts import. */
export interface ScriptApi {
  readonly to: typeof to;
  readonly next: typeof next;
  readonly tunnel: typeof tunnel;
  readonly respond: typeof respond;
  readonly reject: typeof reject;
  readonly pass: typeof pass;
  readonly hash: typeof hash;
  readonly router: typeof router;
  readonly ScriptError: typeof ScriptError;
  readonly worker: ScriptApiHost["worker"];
  ask(upstream: string, how?: AskOptions): Promise<Asked>;
  setUpstream(name: string, how: UpstreamInit): Promise<void>;
  watchFile(path: string, changed: (text: string) => void | Promise<void>): Promise<() => void>;
  log(words: string, fields?: Readonly<Record<string, unknown>>): void;
}

export function scriptApi(host: ScriptApiHost): ScriptApi {
  return {
    to,
    next,
    tunnel,
    respond,
    reject,
    pass,
    hash,
    router,
    ScriptError,
    worker: Object.freeze({ ...host.worker }),
    ask: (upstream, how) => {
      const { requests } = host;
      if (requests !== null) return ask(requests, upstream, how);
      return Promise.reject(new ScriptError("ask: nothing is served yet; ask within a hook, or later"));
    },
    setUpstream: (name, how) => host.setUpstream(name, how),
    watchFile: (path, changed) => host.watchFile(path, changed),
    log: (words, fields = {}) => host.log(words, fields),
  };
}
