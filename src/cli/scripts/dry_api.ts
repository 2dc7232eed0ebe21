/** What tests of scripts import from "sluice/test". */

import type { Runtime, System } from "../../../runtime/contract/contract.ts";
import { folderOf, pathWithin } from "../../config/build_scripts.ts";
import { valueDocument } from "../../config/file/value_document.ts";
import { loadDocuments } from "../../config/load.ts";
import type { Config } from "../../config/values/config.ts";
import { formatProblem } from "../../config/values/problem.ts";
import { type DryAnswer, DrySluice } from "../../serve/dry/dry_sluice.ts";
import type { Stub } from "../../serve/dry/dry_scripts.ts";
import { readConfig } from "../../serve/read_config.ts";

/** Ports of upstreams that a test only names. */
const FIRST_PORT = 9001;

/** A status, or more of an answer. */
export type StubInit = number | {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
};

export interface DryOptions {
  /** Names, or upstreams as the file has them. */
  readonly upstreams?: readonly string[] | Readonly<Record<string, unknown>>;
  /** As the file has them. */
  readonly routes?: readonly unknown[];
  /** What `ask` gets, by upstream. */
  readonly stubs?: Readonly<Record<string, StubInit>>;
}

export interface DryRequestInit {
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  /** Address of the client; default 127.0.0.1. */
  readonly client?: string;
  /** What the endpoint answers, if it is asked; default 200 with `ok`. */
  readonly answer?: StubInit;
}

/** Makes `dry`, and ends what it has opened. */
export class DryApi {
  readonly #runtime: Runtime;
  readonly #system: System;
  readonly #folder: string;
  readonly #open: DrySluice[] = [];

  /** @param file of the test: paths are relative to it */
  constructor(runtime: Runtime, system: System, file: string) {
    this.#runtime = runtime;
    this.#system = system;
    this.#folder = folderOf(file);
  }

  get exports(): Readonly<Record<string, unknown>> {
    return { dry: (file: string, options?: DryOptions) => this.#dry(file, options) };
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((sluice) => sluice.close()));
  }

  /** @param file a script, or a configuration (.yaml, .yml) */
  async #dry(file: string, options: DryOptions = {}): Promise<object> {
    if (typeof file !== "string") throw new TypeError('dry: needs a path, like dry("./route.ts")');
    const path = pathWithin(this.#folder, file);
    const config = /\.ya?ml$/i.test(file) ? await this.#configAt(path) : configOf(path, options);
    const stubs = new Map(Object.entries(options.stubs ?? {}).map(([name, init]) => [name, stubOf(init)]));
    const sluice = await DrySluice.open(this.#runtime, this.#system, config, stubs);
    this.#open.push(sluice);
    return {
      request: async (method: string, uri: string, init: DryRequestInit = {}) =>
        shown(
          await sluice.request({
            method,
            uri,
            headers: linesOf(init.headers ?? {}),
            body: init.body ?? "",
            client: init.client ?? "127.0.0.1",
            answer: stubOf(init.answer ?? { body: "ok" }),
          }),
        ),
    };
  }

  async #configAt(path: string): Promise<Config> {
    const loaded = await readConfig({ ...this.#system, env: {} }, { config: [path] });
    if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join("\n"));
    return loaded.config;
  }
}

function configOf(script: string, { upstreams = [], routes }: DryOptions): Config {
  const named = Array.isArray(upstreams)
    ? Object.fromEntries(upstreams.map((name, at) => [name, { endpoints: [`127.0.0.1:${FIRST_PORT + at}`] }]))
    : upstreams;
  const told = { script, ...(Object.keys(named).length === 0 ? {} : { upstreams: named }) };
  // A script that only stands before routes has none of its own.
  const values = routes === undefined ? told : { ...told, routes };
  const document = valueDocument("dry", new Map(Object.entries(values)));
  const loaded = loadDocuments({ flags: {}, env: {}, documents: [document] });
  if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join("\n"));
  return loaded.config;
}

export function stubOf(init: StubInit): Stub {
  if (typeof init === "number") return { status: init, headers: [], body: "" };
  return { status: init.status ?? 200, headers: linesOf(init.headers ?? {}), body: init.body ?? "" };
}

function linesOf(
  headers: Readonly<Record<string, string | readonly string[]>>,
): readonly (readonly [string, string])[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    (typeof value === "string" ? [value] : value).map((each) => [name, each] as const)
  );
}

/** What tests look at. */
function shown(answer: DryAnswer): object {
  const { sent } = answer;
  const decided = answer.decisions.filter((words) => words !== "nothing");
  return {
    ...answer,
    headers: new Headers(answer.headers.map(([name, value]): [string, string] => [name, value])),
    decision: decided[0] ?? "nothing",
    upstream: sent === null ? null : sent.upstream,
    sent: sent === null ? null : {
      ...sent,
      headers: new Headers(sent.headers.map(([name, value]): [string, string] => [name, value])),
    },
  };
}
