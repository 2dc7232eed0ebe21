/**
 * Upstreams that no route leads to any more, and that still have requests. Requests that wait in one go on to wait, and
 * have an end of their own. When none does it drains, and it ends when nothing is in flight or time is up.
 */

import type { Clock, Timer } from "../../../runtime/contract/contract.ts";
import { printAddress } from "../../config/values/address.ts";
import type { Turn } from "../../time/turn.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import type { Upstream } from "../../upstream/upstream.ts";

/** How often they are looked after. */
const CHECK_MS = 250;

interface Retired {
  readonly upstream: Upstream;
  readonly drainMs: number;
  /** Whether a script that may still name it is being asked. */
  readonly asked: () => boolean;
  /** Monotonic milliseconds; Infinity = it does not drain yet, since requests wait. */
  until: number;
}

export class RetiredUpstreams {
  readonly #clock: Clock;
  readonly #turn: Turn;
  readonly #gateway: Gateway;
  readonly #mayReturn: (upstream: Upstream) => boolean;
  #retired: Retired[] = [];
  #timer: Timer | null = null;

  /** @param mayReturn a configuration that has one of them again is prepared: it is left alone until that is decided */
  constructor(clock: Clock, turn: Turn, gateway: Gateway, mayReturn: (upstream: Upstream) => boolean) {
    this.#clock = clock;
    this.#turn = turn;
    this.#gateway = gateway;
    this.#mayReturn = mayReturn;
  }

  get all(): readonly Upstream[] {
    return this.#retired.map(({ upstream }) => upstream);
  }

  /** Takes those out that routes lead to again, with all their endpoints. @param used all upstreams in use */
  takeBack(used: readonly Upstream[]): void {
    this.#retired = this.#retired.filter(({ upstream }) => {
      const back = used.includes(upstream);
      if (back) upstream.readmitAll();
      return !back;
    });
  }

  /**
   * No route leads to them any more.
   *
   * @param drainMs for what is in flight when no request waits any more
   * @param asked whether a script of before is still being asked, and may name one of them
   */
  retire(upstreams: readonly Upstream[], drainMs: number, asked: () => boolean = () => false): void {
    for (const upstream of upstreams) this.#retired.push({ upstream, drainMs, asked, until: Infinity });
    this.#check();
  }

  /** Requests wait for the end of a pause as long as the same backend is paused. @param used all upstreams in use */
  pauseWith(used: readonly Upstream[]): void {
    if (this.#retired.length === 0) return;
    const held = new Set(used.filter(({ paused }) => paused).flatMap((each) => addressesOf(each)));
    for (const { upstream } of this.#retired) {
      if (addressesOf(upstream).some((address) => held.has(address))) upstream.pause();
      else upstream.resume();
    }
  }

  /** Ends them now. */
  stop(): void {
    this.#timer?.cancel();
    for (const { upstream } of this.#retired) upstream.stop();
  }

  #check(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const now = this.#clock.now();
    this.#retired = this.#retired.filter((retired) => {
      const { upstream, drainMs, asked } = retired;
      if (upstream.waiting > 0 || upstream.coming > 0 || asked() || this.#mayReturn(upstream)) return true;
      upstream.retire();
      if (upstream.inFlight + upstream.pinned > 0 && now < retired.until) {
        if (retired.until === Infinity) this.#gateway.drainEndpoints(upstream.endpoints, drainMs);
        retired.until = Math.min(retired.until, now + drainMs);
        return true;
      }
      upstream.stop();
      // Nothing is left of it, or time is up this very moment.
      this.#turn.begin();
      this.#gateway.cut(new Set(upstream.endpoints));
      this.#turn.end();
      for (const endpoint of upstream.endpoints) this.#gateway.keepEndpoint(endpoint);
      return false;
    });
    if (this.#retired.length === 0) return;
    this.#timer = this.#clock.setTimer(CHECK_MS, () => this.#check(), true);
  }
}

function addressesOf({ endpoints }: Upstream): string[] {
  return endpoints.map(({ settings }) => printAddress(settings.key.address));
}
