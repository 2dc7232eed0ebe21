/** Upstreams that scripts have set, over those of the configuration. Of one generation of scripts; each worker has its own. */

import { ScriptError } from "../../answer/script_error.ts";
import { valueDocument } from "../../config/file/value_document.ts";
import { loadDocuments } from "../../config/load.ts";
import type { Config, UpstreamConfig } from "../../config/values/config.ts";
import { formatProblem } from "../../config/values/problem.ts";
import type { UpstreamInit } from "../../script/script_api.ts";

/** How problems name what a script has given. */
const PLACE = "setUpstream";

export class ScriptUpstreams {
  readonly #set = new Map<string, UpstreamConfig>();

  /**
   * @param config without what scripts have set
   * @throws ScriptError when it is no upstream, or one that all workers have to agree about
   */
  set(name: unknown, how: unknown, { upstreams, credentials }: Config): void {
    const made = upstreamOf(name, how, credentials);
    const before = upstreams.find((each) => each.name === made.name);
    const endpointsOnly = Object.keys(how as UpstreamInit).every((key) => key === "endpoints");
    const upstream = before !== undefined && endpointsOnly ? { ...before, endpoints: made.endpoints } : made;
    if (before?.child != null || upstream.child !== null) {
      throw new ScriptError(
        `${PLACE} ${made.name}: it has a command, and Sluice runs what the configuration says`,
      );
    }
    if ((before?.maxInFlight ?? 0) > 0 || upstream.maxInFlight > 0) {
      throw new ScriptError(
        `${PLACE} ${made.name}: with max_in_flight the endpoints are those of the configuration, for all workers`,
      );
    }
    this.#set.set(made.name, upstream);
  }

  /** The configuration with what has been set. */
  over(config: Config): Config {
    if (this.#set.size === 0) return config;
    const named = new Map(config.upstreams.map((upstream) => [upstream.name, upstream]));
    for (const [name, upstream] of this.#set) named.set(name, upstream);
    return { ...config, upstreams: [...named.values()] };
  }
}

/** By the same rules as one of the file. */
function upstreamOf(name: unknown, how: unknown, credentials: Config["credentials"]): UpstreamConfig {
  if (typeof name !== "string" || typeof how !== "object" || how === null) {
    throw new ScriptError(`${PLACE}: needs a name and { endpoints: [...] }`);
  }
  // Of credentials it only matters what they are called, and where they may be sent.
  const entries = credentials.map(({ name, cleartext }) =>
    [name, { scheme: "basic", user: "user", password_file: "/", cleartext }] as const
  );
  const document = valueDocument(
    PLACE,
    new Map<string, unknown>([
      ...(entries.length === 0 ? [] : [["credentials", Object.fromEntries(entries)] as const]),
      ["upstreams", { [name]: how }],
    ]),
  );
  const loaded = loadDocuments({ flags: {}, env: {}, documents: [document] });
  if (!loaded.ok) throw new ScriptError(loaded.problems.map(formatProblem).join("; "));
  const made = loaded.config.upstreams.find((upstream) => upstream.name === name);
  if (made === undefined) {
    throw new ScriptError(`${PLACE}: ${JSON.stringify(name)} is no name of an upstream`);
  }
  return made;
}
