/**
 * Upstreams whose requests are held on purpose. Every pause is an object of its own, with an owner and a token.
 * An upstream is paused while any pause names it, so the end of one pause never lets requests through that
 * another one holds.
 */

import type { HandedPause } from "./handover_state.ts";
import type { Clock, Timer } from "../../runtime/contract/contract.ts";
import type { Config } from "../config/values/config.ts";
import { heldAsWell } from "../config/renamed.ts";
import { quietOf, until } from "./conditions.ts";
import type { Supervisor } from "../process/supervisor/supervisor.ts";
import type { EventHub } from "./event_hub.ts";
import { refuse, upstreamsNamed } from "./names.ts";
import { unlessSilent } from "./silent_process.ts";
import type { PauseOwner } from "../process/worker/pause_owner.ts";
import type { Outcome, Quiet, Resumed } from "./plane.ts";
import type { PauseStatus } from "../process/worker/status.ts";

/** More pauses at a time are refused: each costs memory, and a status tells of all. */
const MOST_PAUSES = 1000;

/** One pause of one or several upstreams. */
export interface Pause {
  readonly token: string;
  readonly owner: PauseOwner;
  /** It was asked for without a name: upstreams that a reload adds are paused as well. */
  all: boolean;
  /** Never empty while the pause stands. */
  readonly upstreams: Set<string>;
  /** Wall-clock milliseconds. */
  readonly since: number;
  leaseUntil: number | null;
  timer: Timer | null;
}

export class Pauses {
  readonly #clock: Clock;
  readonly #supervisor: Supervisor;
  readonly #events: EventHub;
  /** By token, in the order in which they began. */
  readonly #pauses = new Map<string, Pause>();
  /** Tokens of pauses that another Sluice has told us of. */
  #restored: ReadonlySet<string> = new Set();
  /** Another Sluice goes on with all of them, and says what ends. */
  #handedOver = false;

  constructor(clock: Clock, supervisor: Supervisor, events: EventHub) {
    this.#clock = clock;
    this.#supervisor = supervisor;
    this.#events = events;
  }

  /** See `ControlPlane.pause`. */
  async pause(
    upstream: string | null,
    waitIdleMs: number,
    leaseMs: number | null,
    signal?: AbortSignal,
    owner: PauseOwner = "operator",
  ): Promise<Outcome<Quiet & { readonly token: string }>> {
    const named = upstreamsNamed(this.#supervisor.config, upstream);
    if (!named.ok) return named;
    const { upstreams } = named;
    if (upstreams.length === 0) return refuse("unknown_name", "There is no upstream to pause.");
    if (this.#pauses.size >= MOST_PAUSES) {
      return refuse("busy", `There are ${MOST_PAUSES} pauses already; resume ends those of operators.`);
    }
    const { pause, told } = this.begin(owner, upstreams, leaseMs, upstream === null);
    const { token } = pause;
    await told;
    let quiet: Quiet = { in_flight: 0, waiting: 0 };
    const look = async () => {
      quiet = quietOf(await this.#supervisor.report(), upstream === null ? null : upstreams);
      return quiet.in_flight === 0 || !this.#pauses.has(token);
    };
    const idle = await until(this.#clock, look, waitIdleMs, signal);
    if (signal?.aborted === true) {
      await this.end(pause, null);
      return refuse("failed", "Whoever asked has gone.");
    }
    if (!this.#pauses.has(token)) {
      return refuse("failed", "The pause has ended meanwhile: it was resumed, or its lease has ended.");
    }
    const { silent } = this.#supervisor.lineage;
    if (waitIdleMs > 0 && !idle) {
      const late = `${quiet.in_flight} requests were still in flight after ${waitIdleMs} ms.`;
      // An operator decides what to do next; a command that is not run needs no pause.
      if (owner !== "operator") {
        await this.end(pause, null);
        return refuse("timeout", `${late} The pause has been ended.`);
      }
      const lease = leaseMs === null ? "" : " or the end of the lease";
      return unlessSilent(refuse("timeout", `${late} New ones are held until a resume${lease}.`), silent);
    }
    if (silent !== null && owner !== "operator") await this.end(pause, null);
    return unlessSilent({ ok: true, ...quiet, token }, silent);
  }

  /**
   * Begins a pause, at once. The caller ends it with `end`.
   *
   * @param upstreams at least one
   * @param all whether upstreams that a reload adds belong to it
   * @returns `told` resolves when every worker holds new requests
   */
  begin(
    owner: PauseOwner,
    upstreams: readonly string[],
    leaseMs: number | null,
    all = false,
  ): { readonly pause: Pause; readonly told: Promise<unknown> } {
    const pause: Pause = {
      token: crypto.randomUUID(),
      owner,
      all,
      upstreams: new Set(upstreams),
      since: this.#clock.wall(),
      leaseUntil: null,
      timer: null,
    };
    this.#pauses.set(pause.token, pause);
    this.#lease(pause, leaseMs);
    for (const upstream of upstreams) {
      this.#events.note({ event: "paused", upstream, lease_ms: leaseMs, owner });
    }
    // All of them, paused before or not: the answer means that every worker has carried out a pause.
    return {
      pause,
      told: this.#supervisor.command({ command: "pause", upstreams }, { paused: this.paused() }),
    };
  }

  /** See `ControlPlane.resume`. */
  async resume(upstream: string | null, token?: string): Promise<Outcome<Resumed>> {
    const named = upstreamsNamed(this.#supervisor.config, upstream);
    if (!named.ok) return named;
    const due = [...this.#pauses.values()].filter((pause) =>
      (token === undefined ? pause.owner === "operator" : pause.token === token) &&
      named.upstreams.some((name) => pause.upstreams.has(name))
    );
    const only = upstream === null ? null : named.upstreams;
    await Promise.all(due.map((pause) => this.end(pause, only)));
    const held = this.status();
    return {
      ok: true,
      ...quietOf(await this.#supervisor.report(), only),
      ended: due.length,
      still_paused: named.upstreams.flatMap((name) =>
        (held.get(name)?.owners ?? []).map((each) => ({ upstream: name, ...each }))
      ),
    };
  }

  /**
   * Ends a pause for some upstreams (null = for all that it names). Nothing when it has ended before.
   *
   * @returns resolves when every worker lets the requests go that no other pause holds
   */
  async end(
    pause: Pause,
    upstreams: readonly string[] | null,
    because: "asked" | "lease_ended" = "asked",
  ): Promise<void> {
    if (this.#pauses.get(pause.token) !== pause) return;
    if (this.#handedOver) {
      this.#supervisor.lineage.resume(pause.token);
      return;
    }
    const over = [...pause.upstreams].filter((name) => upstreams?.includes(name) ?? true);
    if (over.length === 0) return;
    pause.all = false;
    for (const name of over) pause.upstreams.delete(name);
    if (pause.upstreams.size === 0) this.#forget(pause);
    const paused = this.paused();
    const free = over.filter((name) => !paused.includes(name));
    const resumed = free.length === 0
      ? null
      : this.#supervisor.command({ command: "resume", upstreams: free }, { paused });
    const { owner } = pause;
    for (const upstream of over) {
      const event = free.includes(upstream) ? "resumed" : "pause_ended";
      this.#events.note({ event, upstream, because, owner });
    }
    await resumed;
  }

  /** See `ControlPlane.renew`. */
  renew(token: string, leaseMs: number): Outcome {
    const pause = this.#pauses.get(token);
    if (pause === undefined) {
      return refuse("unknown_name", "That pause is over: it was resumed, or its lease has ended.");
    }
    this.#lease(pause, leaseMs);
    return { ok: true };
  }

  /** Names of the upstreams that any pause holds. */
  paused(): readonly string[] {
    return [...new Set([...this.#pauses.values()].flatMap(({ upstreams }) => [...upstreams]))];
  }

  /** By upstream. */
  status(): ReadonlyMap<string, PauseStatus> {
    const iso = (wallMs: number) => new Date(wallMs).toISOString();
    return new Map(
      this.paused().map((name) => {
        const pauses = [...this.#pauses.values()].filter(({ upstreams }) => upstreams.has(name));
        const leases = pauses.map(({ leaseUntil }) => leaseUntil ?? Infinity);
        const until = Math.max(...leases);
        return [name, {
          since: iso(Math.min(...pauses.map(({ since }) => since))),
          lease_until: until === Infinity ? null : iso(until),
          owners: pauses.map(({ owner, since, leaseUntil }) => ({
            owner,
            since: iso(since),
            lease_until: leaseUntil === null ? null : iso(leaseUntil),
          })),
        }];
      }),
    );
  }

  /**
   * Goes over to another configuration. A pause is of a backend, whatever its name is: an upstream that takes over an
   * address of one that is paused is paused as well, by the same pauses. A pause of all is one of those that are new.
   * One of an upstream that is gone, with all its addresses, is over.
   *
   * @returns names of the upstreams that are paused from now on
   */
  follow(before: Config, after: Config): readonly string[] {
    const names = after.upstreams.map(({ name }) => name);
    for (const pause of [...this.#pauses.values()]) {
      const gone = [...pause.upstreams].filter((name) => !names.includes(name));
      for (const name of heldAsWell(pause.upstreams, pause.all, before.upstreams, after.upstreams)) {
        pause.upstreams.add(name);
        const leaseMs = pause.leaseUntil === null ? null : Math.max(0, pause.leaseUntil - this.#clock.wall());
        this.#events.note({ event: "paused", upstream: name, lease_ms: leaseMs, owner: pause.owner });
      }
      for (const name of gone) pause.upstreams.delete(name);
      if (pause.upstreams.size === 0) this.#forget(pause);
      const still = this.paused();
      for (const upstream of gone) {
        const event = still.includes(upstream) ? "pause_ended" : "resumed";
        this.#events.note({ event, upstream, because: "removed", owner: pause.owner });
      }
    }
    return this.paused();
  }

  /**
   * What is paused, for the Sluice that takes our place: an entry for each upstream of each pause. Restarts and
   * upgrades are not carried on by another process, so their pauses are not either.
   */
  handoverState(): readonly HandedPause[] {
    return [...this.#pauses.values()]
      .filter(({ owner }) => owner === "operator" || owner === "with_pause")
      .flatMap(({ upstreams, token, owner, all, since, leaseUntil }) =>
        Array.from(upstreams, (upstream) => ({ upstream, token, owner, all, since, leaseUntil }))
      );
  }

  /** Goes on with pauses of another Sluice. What that has resumed since it last told us is resumed. */
  async restore(handover: readonly HandedPause[]): Promise<void> {
    const known = this.#supervisor.config.upstreams.map(({ name }) => name);
    const before = this.paused();
    for (const token of this.#restored) {
      const pause = this.#pauses.get(token);
      if (pause !== undefined) this.#forget(pause);
    }
    this.#restored = new Set(handover.map(({ token }) => token));
    for (const { upstream, token, owner = "operator", all = false, since, leaseUntil } of handover) {
      if (!known.includes(upstream)) continue;
      const pause = this.#pauses.get(token) ??
        { token, owner, all, upstreams: new Set(), since, leaseUntil: null, timer: null };
      pause.upstreams.add(upstream);
      this.#pauses.set(token, pause);
      this.#lease(pause, leaseUntil === null ? null : Math.max(0, leaseUntil - this.#clock.wall()));
    }
    const paused = this.paused();
    const over = before.filter((name) => !paused.includes(name));
    const began = paused.filter((name) => !before.includes(name));
    this.#supervisor.setDesired({ paused });
    await Promise.all([
      ...over.length > 0 ? [this.#supervisor.command({ command: "resume", upstreams: over })] : [],
      ...began.length > 0 ? [this.#supervisor.command({ command: "pause", upstreams: began })] : [],
    ]);
  }

  /** Another Sluice goes on with what `handoverState` has told. Leases end there. */
  handOver(): void {
    this.#handedOver = true;
    for (const pause of this.#pauses.values()) pause.timer?.cancel();
  }

  /** That Sluice is gone: what is left to us ends with its lease, as far as we know of that. */
  takeBack(): void {
    this.#handedOver = false;
    for (const pause of this.#pauses.values()) {
      this.#lease(
        pause,
        pause.leaseUntil === null ? null : Math.max(0, pause.leaseUntil - this.#clock.wall()),
      );
    }
  }

  #forget(pause: Pause): void {
    pause.timer?.cancel();
    pause.timer = null;
    this.#pauses.delete(pause.token);
  }

  #lease(pause: Pause, leaseMs: number | null): void {
    pause.timer?.cancel();
    pause.leaseUntil = leaseMs === null ? null : this.#clock.wall() + leaseMs;
    pause.timer = leaseMs === null
      ? null
      : this.#clock.setTimer(leaseMs, () => void this.end(pause, null, "lease_ended"), true);
  }
}
