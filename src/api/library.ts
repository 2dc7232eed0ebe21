/** What `import … from "sluice"` gives, on whatever platform. */

import { ScriptError } from "../answer/script_error.ts";
import { hash } from "../script/hash.ts";
import { next, pass, reject, respond, to, tunnel } from "../script/decision.ts";
import { router } from "../script/path_router.ts";
import type { Asked, AskOptions, RequestHandler } from "../script/script_types.ts";
import type { Fields } from "../observe/logger.ts";
import type { Gate, OpenOptions, Platform, UpstreamInit } from "./api_types.ts";
import { type OpenGate, openGate } from "./gate.ts";
import { proxy } from "./proxy_handler.ts";

/** See declarations.ts for what each promises. */
export interface Library {
  readonly to: typeof to;
  readonly next: typeof next;
  readonly tunnel: typeof tunnel;
  readonly respond: typeof respond;
  readonly reject: typeof reject;
  readonly pass: typeof pass;
  readonly hash: typeof hash;
  readonly router: typeof router;
  readonly proxy: typeof proxy;
  readonly worker: { readonly index: number; readonly count: number };
  ask(this: void, upstream: string, how?: AskOptions): Promise<Asked>;
  setUpstream(this: void, name: string, how: UpstreamInit): Promise<void>;
  watchFile(
    this: void,
    path: string,
    changed: (text: string) => void | Promise<void>,
  ): Promise<() => void>;
  log(this: void, words: string, fields?: Readonly<Record<string, unknown>>): void;
  open(this: void, options: OpenOptions): Promise<Gate>;
  serve(this: void, where: string | number | OpenOptions, handler: RequestHandler): Promise<Gate>;
}

export function createLibrary(platform: Platform): Library {
  const gates = new Set<OpenGate>();
  const open = async (options: OpenOptions): Promise<Gate> => {
    const gate = await openGate(platform, options);
    gates.add(gate);
    void gate.closed.then(() => gates.delete(gate));
    return gate;
  };
  /** The gate that is meant where none is named. */
  const only = (wanted: string): OpenGate => {
    const [gate, other] = gates;
    if (gate !== undefined && other === undefined) return gate;
    throw new ScriptError(
      gate === undefined
        ? `${wanted}: no gate is open yet`
        : `${wanted}: several gates are open: name the one that is meant, as in gate.${wanted}(…)`,
    );
  };
  return {
    to,
    next,
    tunnel,
    respond,
    reject,
    pass,
    hash,
    router,
    proxy,
    worker: Object.freeze({ index: 0, count: 1 }),
    ask: async (upstream, how) => await only("ask").ask(upstream, how),
    setUpstream: async (name, how) => await only("setUpstream").setUpstream(name, how),
    watchFile: async (path, changed) => await only("watchFile").watchFile(path, changed),
    log: (words, fields = {}) => {
      for (const gate of gates) gate.say(String(words), logFields(fields));
    },
    open,
    serve: (where, handler) => {
      const options = typeof where === "object" && where !== null ? where : { listen: where };
      return open({ ...options, handler });
    },
  };
}

/** Of what a program gives, as much as a line can have. */
function logFields(given: Readonly<Record<string, unknown>>): Fields {
  const fields: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(given)) {
    fields[name.replace(/[^\w.-]/g, "_")] = typeof value === "number" || typeof value === "boolean" ||
        typeof value === "string"
      ? value
      : JSON.stringify(value) ?? String(value);
  }
  return fields;
}
