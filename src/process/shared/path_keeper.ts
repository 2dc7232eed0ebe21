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

/** How long it takes from one look to the next, in milliseconds. One look is one lstat(2) for each path. */
export interface LookPace {
  /** While something is wrong, and at first. */
  readonly firstMs: number;
  /** It is doubled up to here while all is well. */
  readonly mostMs: number;
}

/** How long clients may find no listener at a path that was removed. */
export const LISTENER_LOOKS: LookPace = { firstMs: 1_000, mostMs: 1_000 };
/**
 * The same for a path that only operators need. Nearly every Sluice has one, and a look of a process that rests fetches 6 MiB of
 * the executable's pages back.
 */
export const CONTROL_LOOKS: LookPace = { firstMs: 2_000, mostMs: 60_000 };
/** How often a socket that another program has put there is tried for a listener, in looks. */
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
  readonly #pace: LookPace;
  /** Until the next look. */
  #lookMs: number;
  readonly #paths = new Set<KeptPath>();
  #timer: Timer | null = null;

  /**
   * @param pace nothing is looked at while no path is kept
   * @param note told what happened, in words
   */
  constructor(clock: Clock, system: System, pace: LookPace, note: (message: string) => void) {
    this.#clock = clock;
    this.#system = system;
    this.#pace = pace;
    this.#lookMs = pace.firstMs;
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
    this.#lookMs = this.#pace.firstMs;
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
    this.#timer ??= this.#clock.setTimer(this.#lookMs, () => void this.#lookAtAll(), true);
  }

  async #lookAtAll(): Promise<void> {
    let well = true;
    for (const kept of [...this.#paths]) {
      try {
        if (!await this.#look(kept)) well = false;
      } catch (error) {
        if (!(error instanceof SystemError || error instanceof SocketFailure)) throw error;
        this.#tell(kept, `${kept.path} was removed, and cannot be had again: ${error.message}`);
        well = false;
      }
    }
    const { firstMs, mostMs } = this.#pace;
    this.#lookMs = well ? Math.min(2 * this.#lookMs, mostMs) : firstMs;
    this.#timer = null;
    if (this.#paths.size > 0) this.#wait();
  }

  /** @returns whether the path was ours */
  async #look(kept: KeptPath): Promise<boolean> {
    const status = await this.#system.statusOf(kept.path);
    if (!this.#paths.has(kept)) return true;
    if (status === null) {
      await kept.restore();
      await this.#identify(kept);
      this.#tell(kept, `${kept.path} was removed: it is there again`);
      kept.told = "";
      return false;
    }
    if (status.identity !== kept.identity) {
      this.#tell(kept, `${kept.path} is another program's now: clients do not reach this Sluice there`);
      kept.foreign++;
      if (status.kind === "socket" && kept.foreign % FOREIGN_LOOKS === 0) await this.#reclaim(kept);
      return false;
    }
    kept.told = "";
    kept.foreign = 0;
    if (this.#clock.now() - kept.renewedAt < RENEW_MS) return true;
    kept.renewedAt = this.#clock.now();
    await this.#system.renewTimes(kept.path);
    // Where there is no time of birth, that of the last change stands for it.
    await this.#identify(kept);
    return true;
  }

  /** Succeeds when no process listens there any more. */
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
