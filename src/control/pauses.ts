/** Upstreams whose requests are held on purpose: who has paused them, and until when. */

import type { CarriedPause } from "./carried.ts";
import type { Clock, Timer } from "../../runtime/contract.ts";
import { quietOf, until } from "./conditions.ts";
import type { Controller } from "./controller.ts";
import type { EventHub } from "./event_hub.ts";
import { refuse, upstreamsNamed } from "./names.ts";
import type { Outcome, Quiet } from "./plane.ts";
import type { PauseStatus } from "./status.ts";

/** One pause of one upstream. */
interface Pause {
  readonly token: string;
  /** Wall-clock milliseconds. */
  readonly since: number;
  leaseUntil: number | null;
  timer: Timer | null;
}

export class Pauses {
  readonly #clock: Clock;
  readonly #controller: Controller;
  readonly #events: EventHub;
  /** By upstream. */
  readonly #pauses = new Map<string, Pause>();

  constructor(clock: Clock, controller: Controller, events: EventHub) {
    this.#clock = clock;
    this.#controller = controller;
    this.#events = events;
  }

  /** See `ControlPlane.pause`. */
  async pause(
    upstream: string | null,
    waitIdleMs: number,
    leaseMs: number | null,
    left?: AbortSignal,
  ): Promise<Outcome<Quiet & { readonly token: string }>> {
    const named = upstreamsNamed(this.#controller.config, upstream);
    if (!named.ok) return named;
    const { upstreams } = named;
    if (upstreams.length === 0) return refuse("unknown_name", "There is no upstream to pause.");
    const token = crypto.randomUUID();
    for (const name of upstreams) {
      const before = this.#pauses.get(name);
      before?.timer?.cancel();
      const pause: Pause = {
        token,
        since: before?.since ?? this.#clock.wall(),
        leaseUntil: null,
        timer: null,
      };
      this.#pauses.set(name, pause);
      this.#lease(name, pause, leaseMs);
      this.#events.note({ event: "paused", upstream: name, lease_ms: leaseMs });
    }
    await this.#controller.order({ order: "pause", upstreams }, { paused: [...this.#pauses.keys()] });
    let quiet: Quiet = { in_flight: 0, waiting: 0 };
    const look = async () => {
      quiet = quietOf(await this.#controller.report(), upstreams);
      return quiet.in_flight === 0;
    };
    const idle = await until(this.#clock, look, waitIdleMs, left);
    if (left?.aborted === true) {
      await this.resume(upstream, token);
      return refuse("failed", "Whoever asked has gone.");
    }
    if (waitIdleMs > 0 && !idle) {
      return refuse(
        "timeout",
        `${quiet.in_flight} requests were still in flight after ${waitIdleMs} ms. New ones are held until a resume` +
          `${leaseMs === null ? "" : " or the end of the lease"}.`,
      );
    }
    return { ok: true, ...quiet, token };
  }

  /** See `ControlPlane.resume`. */
  async resume(
    upstream: string | null,
    token?: string,
    because: "asked" | "lease_ended" = "asked",
  ): Promise<Outcome<Quiet>> {
    const named = upstreamsNamed(this.#controller.config, upstream);
    if (!named.ok) return named;
    const upstreams = named.upstreams.filter((name) => {
      const pause = this.#pauses.get(name);
      return pause !== undefined && (token === undefined || pause.token === token);
    });
    if (upstreams.length > 0) {
      for (const name of upstreams) {
        this.#pauses.get(name)?.timer?.cancel();
        this.#pauses.delete(name);
      }
      const resumed = this.#controller.order({ order: "resume", upstreams }, {
        paused: [...this.#pauses.keys()],
      });
      for (const name of upstreams) this.#events.note({ event: "resumed", upstream: name, because });
      await resumed;
    }
    return { ok: true, ...quietOf(await this.#controller.report(), named.upstreams) };
  }

  /** See `ControlPlane.renew`. */
  renew(token: string, leaseMs: number): Outcome {
    const paused = [...this.#pauses].filter(([, pause]) => pause.token === token);
    if (paused.length === 0) {
      return refuse(
        "unknown_name",
        "That pause is over: it was resumed, its lease has ended, or somebody paused anew.",
      );
    }
    for (const [name, pause] of paused) this.#lease(name, pause, leaseMs);
    return { ok: true };
  }

  /** By upstream. */
  status(): ReadonlyMap<string, PauseStatus> {
    const iso = (wallMs: number) => new Date(wallMs).toISOString();
    return new Map(
      Array.from(this.#pauses, ([name, { since, leaseUntil }]) => [
        name,
        { since: iso(since), lease_until: leaseUntil === null ? null : iso(leaseUntil) },
      ]),
    );
  }

  /** Forgets pauses of upstreams that are not in the configuration any more. @returns those that stay */
  keepOnly(upstreams: readonly string[]): readonly string[] {
    for (const [name, pause] of this.#pauses) {
      if (upstreams.includes(name)) continue;
      pause.timer?.cancel();
      this.#pauses.delete(name);
    }
    return [...this.#pauses.keys()];
  }

  /** What is paused, for the Sluice that takes our place. */
  carried(): readonly CarriedPause[] {
    return Array.from(this.#pauses, ([upstream, { token, since, leaseUntil }]) => {
      return { upstream, token, since, leaseUntil };
    });
  }

  /** Goes on with pauses of another Sluice. What that has resumed since it last told us is resumed. */
  async inherit(paused: readonly CarriedPause[]): Promise<void> {
    const known = this.#controller.config.upstreams.map(({ name }) => name);
    const added: string[] = [];
    for (const { upstream, token, since, leaseUntil } of paused) {
      if (!known.includes(upstream)) continue;
      const before = this.#pauses.get(upstream);
      before?.timer?.cancel();
      const pause: Pause = { token, since, leaseUntil: null, timer: null };
      this.#pauses.set(upstream, pause);
      this.#lease(upstream, pause, leaseUntil === null ? null : Math.max(0, leaseUntil - this.#clock.wall()));
      if (before === undefined) added.push(upstream);
    }
    const over = [...this.#pauses.keys()].filter((name) => !paused.some(({ upstream }) => upstream === name));
    for (const name of over) await this.resume(name);
    const standing = { paused: [...this.#pauses.keys()] };
    if (added.length > 0) await this.#controller.order({ order: "pause", upstreams: added }, standing);
  }

  #lease(name: string, pause: Pause, leaseMs: number | null): void {
    pause.timer?.cancel();
    pause.leaseUntil = leaseMs === null ? null : this.#clock.wall() + leaseMs;
    pause.timer = leaseMs === null
      ? null
      : this.#clock.setTimer(leaseMs, () => void this.resume(name, pause.token, "lease_ended"), true);
  }
}
