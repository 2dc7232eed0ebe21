/** The files that tell others of a Sluice that serves: its pid file and its port file. */

import {
  type Address,
  type Clock,
  type System,
  SystemError,
  type Timer,
} from "../../runtime/contract/contract.ts";
import type { ProcessConfig } from "../config/values/config.ts";
import { named } from "../process/worker/files.ts";

/** Cleaners of /tmp (systemd-tmpfiles) remove files that have not been written to for days. */
const RENEW_MS = 3_600_000;

export class OwnFiles {
  readonly #clock: Clock;
  readonly #system: System;
  #timer: Timer | null = null;
  /** Those written, and what we wrote. */
  readonly #texts = new Map<string, string>();

  constructor(clock: Clock, system: System) {
    this.#clock = clock;
    this.#system = system;
  }

  /** @throws SystemError */
  async write(config: ProcessConfig, bound: readonly Address[]): Promise<void> {
    const { pidFile, portFile } = config;
    if (pidFile !== null) await this.#write("pid-file", pidFile, `${this.#system.pid}\n`);
    if (portFile === null) return;
    const ports = bound.map((address) => address.kind === "tcp" ? String(address.port) : address.path);
    await this.#write("port-file", portFile, ports.join("\n") + "\n");
  }

  async #write(option: string, path: string, text: string): Promise<void> {
    await named(`--${option}: cannot be written`, () => this.#system.writeText(path, text));
    this.#texts.set(path, text);
    this.#timer ??= this.#clock.setTimer(RENEW_MS, () => void this.#renew(), true);
  }

  async #renew(): Promise<void> {
    for (const path of this.#texts.keys()) {
      try {
        await this.#system.renewTimes(path);
      } catch (error) {
        // It was removed from outside.
        if (!(error instanceof SystemError)) throw error;
      }
    }
    this.#timer = this.#texts.size === 0
      ? null
      : this.#clock.setTimer(RENEW_MS, () => void this.#renew(), true);
  }

  /** They speak of another process now. */
  forget(): void {
    this.#texts.clear();
  }

  /** Puts them right: another process may have written them since we did. */
  async writeAgain(): Promise<void> {
    for (const [path, text] of this.#texts) {
      try {
        await this.#system.writeText(path, text);
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
      }
    }
  }

  /** Removes them, unless another program (our successor, say) has written them since. */
  async remove(): Promise<void> {
    for (const [path, text] of this.#texts) {
      try {
        if (await this.#system.readText(path) === text) await this.#system.remove(path);
      } catch (error) {
        // It is gone already, or not ours to remove any more.
        if (!(error instanceof SystemError)) throw error;
      }
    }
  }
}
