/** The configuration that all workers serve, and changes of it in two steps: all workers go over to it, or none. */

import type { Address } from "../../../runtime/contract/contract.ts";
import { listenKeys } from "../../config/values/address.ts";
import type { Config } from "../../config/values/config.ts";
import { sameValue } from "../../config/config_changes.ts";
import type { ElderCommand, Followed } from "./lineage_messages.ts";
import type { Change, CommandResult, DesiredState } from "../worker/messages.ts";
import type { Participants } from "./participants.ts";

/** What became of a change of configuration. */
export type Changed =
  | {
    readonly ok: true;
    /** Clients get another certificate. */
    readonly certificate: boolean;
    /** Upstreams that were there before and are others now. */
    readonly upstreams: readonly string[];
  }
  /** Nothing has changed. */
  | { readonly ok: false; readonly message: string };

type FollowCommand = Extract<ElderCommand, { readonly command: "follow" }>;

/** What belongs to upstreams and endpoints, and so to a configuration. */
type DesiredOfConfig = Pick<DesiredState, "paused" | "drained">;

/** The worker that was to prepare it has had to be ended. */
const STALLED: CommandResult = {
  ok: false,
  failure: { kind: "script", message: "a script does not come to the end of its top level" },
};

/** What it needs of the supervisor. */
export interface RolloutHost {
  readonly participants: Participants;
  readonly phase: "starting" | "serving" | "stopping";
  readonly desired: DesiredState;
  setDesired(desired: Partial<DesiredState>): void;
  /** Monotonic milliseconds. */
  now(): number;
  /** `config` is what serves, in the place of `before`; the workers have been told. */
  committed(before: Config): void;
  /** Upstreams for which the process that drains has other endpoints. */
  differing(): readonly Followed[];
  /** Workers may start again. */
  over(): void;
}

export class ConfigRollout {
  readonly #host: RolloutHost;
  #config: Config;
  /** What is bound, in the order of the configuration; null before. */
  addresses: readonly Address[] | null = null;
  /** Of scripts: those that serve, and those that could not be loaded last. */
  scriptFiles: readonly string[] = [];
  #changing = false;
  /** Settles with the last change at the word of the process that has taken our place. */
  #following: Promise<unknown> = Promise.resolve();

  constructor(host: RolloutHost, config: Config) {
    this.#host = host;
    this.#config = config;
  }

  get config(): Config {
    return this.#config;
  }

  /** The configuration is being changed: no worker starts meanwhile. */
  get changing(): boolean {
    return this.#changing;
  }

  /** See `Supervisor.change`. */
  async change(
    config: Config,
    drainMs: number,
    desired: () => DesiredOfConfig,
    scriptsAnew: boolean,
  ): Promise<Changed> {
    const { phase } = this.#host;
    if (this.#changing) return { ok: false, message: "the configuration is being changed already" };
    if (phase !== "serving") return { ok: false, message: `Sluice is ${phase}` };
    const changed = await this.#change(
      config,
      drainMs,
      desired,
      () => this.#host.phase === phase,
      scriptsAnew,
    );
    if (changed.ok) await this.#host.participants.lead(this.#host.differing(), drainMs);
    return changed;
  }

  /**
   * Other endpoints, at the word of the process that has taken our place. All else stays what it was. One after the
   * other: each is about what the one before it has made.
   */
  follow(command: FollowCommand): Promise<CommandResult> {
    const followed = this.#following.then(() => this.#follow(command));
    this.#following = followed;
    return followed;
  }

  async #follow({ upstreams, drainMs }: FollowCommand): Promise<CommandResult> {
    const told = this.#host.participants.lead(upstreams, drainMs);
    const config = {
      ...this.#config,
      upstreams: this.#config.upstreams.map((upstream) => {
        const endpoints = upstreams.find((each) => each.upstream === upstream.name)?.endpoints;
        return endpoints === undefined ? upstream : { ...upstream, endpoints };
      }),
    };
    const changed: Changed = this.#changing || sameValue(config, this.#config)
      ? { ok: true, certificate: false, upstreams: [] }
      // It may be told so while it begins to stop: what waits goes there all the same.
      : await this.#change(config, drainMs, () => this.#host.desired, () => true, false);
    await told;
    return changed.ok ? { ok: true } : { ok: false, failure: { kind: "system", message: changed.message } };
  }

  /** @param wanted asked when nothing can fail any more: false = it is taken back */
  async #change(
    config: Config,
    drainMs: number,
    desired: () => DesiredOfConfig,
    wanted: () => boolean,
    scriptsAnew: boolean,
  ): Promise<Changed> {
    const host = this.#host;
    const { participants } = host;
    const { handles } = participants;
    this.#changing = true;
    const bound = new Map(listenKeys(this.#config.listen).map((key, at) => [key, this.addresses?.[at]]));
    const listen = listenKeys(config.listen).map((key) => bound.get(key) ?? null);
    try {
      const prepared = await this.#prepare({ config, listen, scriptsAnew });
      this.scriptFiles = scriptFilesOf(prepared, this.scriptFiles);
      const failed = prepared.find((result) => !result.ok);
      if (failed !== undefined || !wanted()) {
        await participants.issue({ command: "rollback" }, handles);
        return { ok: false, message: failed?.ok === false ? failed.failure.message : "Sluice is stopping" };
      }
      // From here on a worker that is replaced has the new one.
      const before = this.#config;
      this.#config = config;
      const { paused, drained } = desired();
      host.setDesired({ paused, drained });
      this.addresses = addressesOf(prepared) ?? this.addresses;
      const committed = participants.issue({ command: "commit", drainMs, paused, drained }, handles);
      host.committed(before);
      await committed;
      const first = prepared.find((result) => result.ok);
      return { ok: true, certificate: first?.certificate ?? false, upstreams: first?.upstreams ?? [] };
    } finally {
      this.#changing = false;
      host.over();
    }
  }

  /** The first worker finds out where to listen, where that is open; the others follow. */
  async #prepare(change: Change, beganAt = this.#host.now()): Promise<readonly CommandResult[]> {
    const { participants } = this.#host;
    const { handles } = participants;
    const able = handles.filter(({ state }) => state === "started" || state === "listening");
    const first = able.find(({ state }) => state === "listening");
    if (first === undefined) return [{ ok: false, failure: { kind: "system", message: "no worker serves" } }];
    const results = await participants.issue({ command: "prepare", ...change }, [first]);
    const addresses = addressesOf(results);
    if (addresses === null && results.length === 0) {
      // The next one would be lost to the same script.
      if (first.link === null && first.stalledAt >= beganAt) return [STALLED];
      return this.#prepare(change, beganAt);
    }
    if (addresses === null) return results;
    const others = able.filter((handle) => handle !== first);
    const more = await participants.issue({ command: "prepare", ...change, listen: addresses }, others);
    return [...results, ...more];
  }
}

function addressesOf(results: readonly CommandResult[]): readonly Address[] | null {
  for (const result of results) if (result.ok && result.addresses !== undefined) return result.addresses;
  return null;
}

/** A script that could not be loaded may consist of other files than the one that serves: both are of interest. */
function scriptFilesOf(results: readonly CommandResult[], before: readonly string[]): readonly string[] {
  for (const result of results) {
    if (!result.ok && result.failure.scriptFiles !== undefined) {
      return [...new Set([...before, ...result.failure.scriptFiles])];
    }
  }
  return results.find((result) => result.ok)?.scriptFiles ?? [];
}
