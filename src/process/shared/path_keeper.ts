/**
 * Looks after the paths of our Unix sockets, which other programs can remove while we listen: cleaners of /tmp
 * (systemd-tmpfiles looks for bound names that are old, and ours has another name than the one it was bound to),
 * a deployment that empties its folder, an administrator. A path that is gone comes back; times are renewed, so that
 * no cleaner takes it for forgotten.
 */

import {
  type Clock,
  SocketFailure,
  type System,
  SystemError,
  type Timer,
} from "../../../runtime/contract/contract.ts";

/** How long clients find nobody at a path that was removed. One lstat(2) for each path. */
const LOOK_MS = 1_000;
/** How often a socket that somebody else has put there is asked whether anybody is left behind it, in looks. */
const FOREIGN_LOOKS = 10;
/** Cleaners count in days. */
const RENEW_MS = 3_600_000;

interface KeptPath {
  readonly path: string;
  readonly restore: () => Promise<void>;
  /** Of what we have put there. */
  identity: string | null;
  renewedAt: number;
  /** Times in a row that something else was there. */
  foreign: number;
  /** What was told of last, so that it is told once. */
  told: string;
}

export class PathKeeper {
  readonly #clock: Clock;
  readonly #system: System;
  readonly #note: (message: string) => void;
  readonly #paths = new Set<KeptPath>();
  #timer: Timer | null = null;

  /** @param note told what happened, in words */
  constructor(clock: Clock, system: System, note: (message: string) => void) {
    this.#clock = clock;
    this.#system = system;
    this.#note = note;
  }

  /**
   * @param path where something of ours is now
   * @param restore puts it there again; a `SocketFailure` or `SystemError` means that it could not
   * @returns ends it
   */
  keep(path: string, restore: () => Promise<void>): () => void {
    const kept: KeptPath = {
      path,
      restore,
      identity: null,
      renewedAt: this.#clock.now(),
      foreign: 0,
      told: "",
    };
    this.#paths.add(kept);
    void this.#identify(kept);
    this.#wait();
    return () => {
      this.#paths.delete(kept);
      if (this.#paths.size > 0) return;
      this.#timer?.cancel();
      this.#timer = null;
    };
  }

  #wait(): void {
    this.#timer ??= this.#clock.setTimer(LOOK_MS, () => void this.#lookAtAll(), true);
  }

  async #lookAtAll(): Promise<void> {
    for (const kept of [...this.#paths]) {
      try {
        await this.#look(kept);
      } catch (error) {
        if (!(error instanceof SystemError || error instanceof SocketFailure)) throw error;
        this.#tell(kept, `${kept.path} was removed, and cannot be had again: ${error.message}`);
      }
    }
    this.#timer = null;
    if (this.#paths.size > 0) this.#wait();
  }

  async #look(kept: KeptPath): Promise<void> {
    const status = await this.#system.statusOf(kept.path);
    if (!this.#paths.has(kept)) return;
    if (status === null) {
      await kept.restore();
      await this.#identify(kept);
      this.#tell(kept, `${kept.path} was removed: it is there again`);
      kept.told = "";
      return;
    }
    if (status.identity !== kept.identity) {
      this.#tell(kept, `${kept.path} is another program's now: clients do not reach this Sluice there`);
      kept.foreign++;
      if (status.kind === "socket" && kept.foreign % FOREIGN_LOOKS === 0) await this.#reclaim(kept);
      return;
    }
    kept.told = "";
    kept.foreign = 0;
    if (this.#clock.now() - kept.renewedAt < RENEW_MS) return;
    kept.renewedAt = this.#clock.now();
    await this.#system.renewTimes(kept.path);
    // Where there is no time of birth, that of the last change stands for it.
    await this.#identify(kept);
  }

  /** Succeeds when nobody listens there any more. */
  async #reclaim(kept: KeptPath): Promise<void> {
    try {
      await kept.restore();
    } catch (error) {
      if (error instanceof SocketFailure && error.code === "address_in_use") return;
      throw error;
    }
    await this.#identify(kept);
    this.#tell(kept, `${kept.path} is ours again: nobody was left behind the socket that was there`);
    kept.told = "";
  }

  async #identify(kept: KeptPath): Promise<void> {
    try {
      kept.identity = (await this.#system.statusOf(kept.path))?.identity ?? null;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }

  #tell(kept: KeptPath, message: string): void {
    if (kept.told === message) return;
    kept.told = message;
    this.#note(message);
  }
}
