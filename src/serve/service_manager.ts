/**
 * What a service manager is told of a Sluice that serves: sd_notify(3). That it is ready, that it reads its configuration anew
 * and is done with it, that it is well, that it stops.
 */

import type { Clock, System, Timer } from "../../runtime/contract/contract.ts";

/** Of the time that the watchdog gives: a third, so that one late message does no harm. */
const WATCHDOG_PART = 3;

export class ServiceManager {
  readonly #clock: Clock;
  readonly #system: System;
  readonly #isWell: () => Promise<unknown>;
  /** Reloads under way. */
  #reloads = 0;
  /** Another process serves. */
  #over = false;
  #stops = false;
  #timer: Timer | null = null;

  /** @param isWell resolves when every worker has answered; never while one does not */
  constructor(clock: Clock, system: System, isWell: () => Promise<unknown>) {
    this.#clock = clock;
    this.#system = system;
    this.#isWell = isWell;
  }

  /** @param heir of a Sluice whose place we take: it tells our process id, and what was meant for it is meant for us */
  async ready(heir: boolean): Promise<void> {
    if (!heir) await this.#system.notifyServiceManager(`READY=1\nMAINPID=${this.#system.pid}\n`);
    const { WATCHDOG_USEC: time = "", WATCHDOG_PID: pid = "" } = this.#system.env;
    const meant = heir || pid === "" || pid === String(this.#system.pid);
    if (meant && /^[1-9]\d{0,15}$/.test(time)) this.#watchdog(Number(time) / 1000 / WATCHDOG_PART);
  }

  /** The loop runs, or the timer would not fire; and the workers answer. */
  #watchdog(everyMs: number): void {
    this.#timer = this.#clock.setTimer(everyMs, () => {
      void this.#isWell().then(async () => {
        if (this.#over) return;
        await this.#system.notifyServiceManager("WATCHDOG=1\n");
        this.#watchdog(everyMs);
      });
    }, true);
  }

  /**
   * The configuration is read anew. Whether it counts in the end or something is wrong with it: we are as ready as before.
   * @param act does it
   */
  async reload<T>(act: () => Promise<T>): Promise<T> {
    this.#reloads++;
    const told = this.#reloads === 1 && this.#speaks ? this.#tellReload() : null;
    // At once: of several reloads at a time the first to ask is the first to begin.
    try {
      return await act();
    } finally {
      await told;
      this.#reloads--;
      if (this.#reloads === 0 && this.#speaks) await this.#system.notifyServiceManager("READY=1\n");
    }
  }

  async #tellReload(): Promise<void> {
    const now = await this.#system.monotonicMicroseconds();
    const since = now === null ? "" : `MONOTONIC_USEC=${now}\n`;
    // A stop may have come meanwhile, and is the last word.
    if (this.#speaks) await this.#system.notifyServiceManager(`RELOADING=1\n${since}`);
  }

  get #speaks(): boolean {
    return !this.#over && !this.#stops;
  }

  /** Another process serves. */
  async replaced(pid: number): Promise<void> {
    await this.#system.notifyServiceManager(`MAINPID=${pid}\n`);
    this.#end();
  }

  async stopping(): Promise<void> {
    if (this.#over) return;
    this.#stops = true;
    // The watchdog goes on: requests in flight may take longer than it waits.
    await this.#system.notifyServiceManager("STOPPING=1");
  }

  #end(): void {
    this.#over = true;
    this.#timer?.cancel();
  }
}
