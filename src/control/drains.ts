/** Endpoints that are taken out of use on purpose, one by one. */

import type { Clock } from "../../runtime/contract/contract.ts";
import { printAddress } from "../config/values/address.ts";
import type { Config } from "../config/values/config.ts";
import { formerNames } from "../config/renamed.ts";
import { until } from "./conditions.ts";
import type { Supervisor } from "../process/supervisor/supervisor.ts";
import type { EventHub } from "./event_hub.ts";
import type { EndpointName } from "../process/worker/messages.ts";
import { endpointNamed, refuse } from "./names.ts";
import type { Outcome } from "./plane.ts";
import type { EndpointReport, Report } from "../process/worker/report.ts";

/** What is cut at the end of the window takes a moment to be gone. */
const CUT_MS = 2000;
/** How long what another Sluice has put out of use may go on here. */
const RESTORED_MS = 30_000;

interface Drain {
  /** A reload may change it. */
  name: EndpointName;
}

export class Drains {
  readonly #clock: Clock;
  readonly #supervisor: Supervisor;
  readonly #events: EventHub;
  /** Counts drains of an endpoint, by its names: an undrain or another drain ends the watch over the one before. */
  readonly #drained = new Map<string, Drain>();

  constructor(clock: Clock, supervisor: Supervisor, events: EventHub) {
    this.#clock = clock;
    this.#supervisor = supervisor;
    this.#events = events;
  }

  /** See `ControlPlane.drain`. */
  async drain(
    endpoint: string,
    upstream: string | null,
    windowMs: number,
    wait: boolean,
  ): Promise<Outcome<{ readonly in_flight: number }>> {
    const named = endpointNamed(this.#supervisor.config, endpoint, upstream);
    if (!named.ok) return named;
    const name = named.found;
    const drain: Drain = { name };
    const before = this.#drained.has(keyOf(name));
    this.#drained.set(keyOf(name), drain);
    if (!before) this.#events.note({ event: "draining", ...name });
    await this.#supervisor.command({ command: "drain", windowMs, ...name }, { drained: this.#all() });
    const gone = this.#watch(drain, windowMs);
    if (wait && !await gone) {
      return this.#drained.get(keyOf(drain.name)) === drain
        ? refuse(
          "timeout",
          `${name.endpoint} still has requests or clients ${windowMs} ms after it was drained.`,
        )
        : refuse("failed", `${name.endpoint} was put in use again, or drained anew.`);
    }
    return {
      ok: true,
      in_flight: endpointReport(await this.#supervisor.report(), drain.name)?.inFlight ?? 0,
    };
  }

  /** See `ControlPlane.undrain`. */
  async undrain(endpoint: string, upstream: string | null): Promise<Outcome> {
    const named = endpointNamed(this.#supervisor.config, endpoint, upstream);
    if (!named.ok) return named;
    const name = named.found;
    const before = this.#drained.delete(keyOf(name));
    await this.#supervisor.command({ command: "undrain", ...name }, { drained: this.#all() });
    if (before) this.#events.note({ event: "undrained", ...name });
    return { ok: true };
  }

  /**
   * Goes over to another configuration. What is drained is an address: it stays so when it is reached in another way or
   * its upstream has another name. Forgets what is not in the configuration any more.
   *
   * @returns what is drained from now on
   */
  follow(before: Config, after: Config): readonly EndpointName[] {
    const old = endpointsOf(before);
    const names = new Set(endpointsOf(after).map(keyOf));
    const upstreams = new Map(
      Array.from(formerNames(before.upstreams, after.upstreams), ([now, was]) => [was, now]),
    );
    for (const [key, drain] of [...this.#drained]) {
      if (names.has(key)) continue;
      this.#drained.delete(key);
      const { upstream } = drain.name;
      const address = old.find((each) => keyOf(each) === key)?.address;
      const now = endpointsOf(after).find((each) =>
        each.upstream === (upstreams.get(upstream) ?? upstream) && each.address === address
      );
      if (now === undefined) continue;
      drain.name = { upstream: now.upstream, endpoint: now.endpoint };
      this.#drained.set(keyOf(drain.name), drain);
    }
    return this.#all();
  }

  /** What is out of use, for the Sluice that takes our place. */
  handoverState(): readonly EndpointName[] {
    return this.#all();
  }

  /** To be called before the supervisor starts. */
  restore(drained: readonly EndpointName[]): void {
    for (const name of drained) {
      if (!endpointNamed(this.#supervisor.config, name.endpoint, name.upstream).ok) continue;
      this.#drained.set(keyOf(name), { name });
    }
    this.#supervisor.setDesired({ drained: this.#all() });
  }

  /** What is out of use by now: goes over to it. Resolves when it is so in all workers. */
  async takeOver(drained: readonly EndpointName[]): Promise<void> {
    const wanted = new Set(drained.map(keyOf));
    const over = this.#all().filter((name) => !wanted.has(keyOf(name)));
    const begun = drained.filter((name) =>
      !this.#drained.has(keyOf(name)) &&
      endpointNamed(this.#supervisor.config, name.endpoint, name.upstream).ok
    );
    for (const name of over) this.#drained.delete(keyOf(name));
    for (const name of begun) this.#drained.set(keyOf(name), { name });
    this.#supervisor.setDesired({ drained: this.#all() });
    await Promise.all([
      ...over.map((name) => this.#supervisor.command({ command: "undrain", ...name })),
      ...begun.map((name) => this.#supervisor.command({ command: "drain", windowMs: RESTORED_MS, ...name })),
    ]);
  }

  #all(): readonly EndpointName[] {
    return Array.from(this.#drained.values(), ({ name }) => name);
  }

  /** @returns true when nothing of it is open any more; false when it was undrained, or time is up */
  async #watch(drain: Drain, windowMs: number): Promise<boolean> {
    const over = () => this.#drained.get(keyOf(drain.name)) !== drain;
    let empty = false;
    await until(this.#clock, async () => {
      const report = endpointReport(await this.#supervisor.report(), drain.name);
      empty = (report?.inFlight ?? 0) + (report?.pinned ?? 0) === 0;
      return empty || over();
    }, windowMs + CUT_MS);
    if (!empty || over()) return false;
    this.#events.note({ event: "drained", ...drain.name });
    return true;
  }
}

function endpointReport(report: Report, name: EndpointName): EndpointReport | undefined {
  const upstream = report.upstreams.find((each) => each.name === name.upstream);
  return upstream?.endpoints.find((each) => each.name === name.endpoint);
}

function endpointsOf({ upstreams }: Config): (EndpointName & { readonly address: string })[] {
  return upstreams.flatMap(({ name, endpoints }) =>
    endpoints.map((endpoint) => ({
      upstream: name,
      endpoint: endpoint.name,
      address: printAddress(endpoint.address),
    }))
  );
}

function keyOf({ upstream, endpoint }: EndpointName): string {
  return `${upstream}\n${endpoint}`;
}
