/**
 * The functions that a program has given with its options, by the names that stand for them in the configuration, where a file
 * has the paths of scripts.
 */

import type { Verdict } from "../script/script_types.ts";
import { isPromise } from "../script/verdict.ts";
import { carriedBy, type CarriedUpstream } from "./proxy_handler.ts";
import type { OpenOptions } from "./api_types.ts";

/** Names that no path of a file has. */
export const HOOKS_NAME = "(hooks)";
export const HANDLER_NAME = "(handler)";

export function routeName(index: number): string {
  return `(routes[${index}].to)`;
}

/** Hooks that may name an upstream. */
const DECIDING: readonly string[] = ["onRequest", "onError"];
export const HOOKS = ["onStart", "onRequest", "onResponse", "onError", "onLog", "onStop"] as const;

/** Makes the upstream of `proxy` when a request comes to it first. */
export interface UpstreamMaker {
  /** It is there already. */
  has(upstream: CarriedUpstream): boolean;
  /** Rejects when it cannot be made. */
  make(upstream: CarriedUpstream): Promise<void>;
}

type Deciding = (first: never, second: never) => Verdict | Promise<Verdict>;

export class ProgramFunctions {
  readonly #options: OpenOptions;

  constructor(options: OpenOptions) {
    this.#options = options;
  }

  /** What a script of that name exports; undefined when there is none. */
  exportsOf(name: string, maker: UpstreamMaker): Readonly<Record<string, unknown>> | undefined {
    const options = this.#options;
    if (name === HOOKS_NAME) return this.#hooks(maker);
    if (name === HANDLER_NAME) return { default: this.#handler(maker) };
    const index = /^\(routes\[(\d+)\]\.to\)$/.exec(name)?.[1];
    const route = index === undefined ? undefined : options.routes?.[Number(index)];
    return typeof route?.to === "function" ? { default: making(route.to, route, maker) } : undefined;
  }

  #handler(maker: UpstreamMaker): unknown {
    const options = this.#options;
    const { handler, fetch } = options;
    return handler === undefined ? { fetch } : making(handler, options, maker);
  }

  #hooks(maker: UpstreamMaker): Readonly<Record<string, unknown>> {
    const options = this.#options;
    const hooks: Record<string, unknown> = {};
    for (const name of HOOKS) {
      const hook: unknown = options[name];
      // What is no function has been told of.
      if (typeof hook !== "function") continue;
      // The cast: it is one of those that name upstreams.
      hooks[name] = DECIDING.includes(name) ? making(hook as Deciding, options, maker) : hook.bind(options);
    }
    return hooks;
  }
}

/** The same function; what it decides is given back when the upstream is there that it names. */
function making(decide: Deciding, self: unknown, maker: UpstreamMaker): Deciding {
  const settle = (verdict: Verdict): Verdict | Promise<Verdict> => {
    const upstream = carriedBy(verdict);
    if (upstream === undefined || maker.has(upstream)) return verdict;
    return maker.make(upstream).then(() => verdict);
  };
  return (first, second) => {
    const verdict = decide.call(self, first, second);
    // The cast: what comes of a promise is looked at when the decision is carried out.
    if (isPromise(verdict)) return Promise.resolve(verdict).then((value) => settle(value as Verdict));
    return settle(verdict);
  };
}
