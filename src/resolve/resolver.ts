/**
 * What names mean, asked for once and kept: for the time that the answer is good, while a new look-up fails for an hour
 * (RFC 8767), and that there is no such name for a moment. One look-up of a name goes on at a time, however many wait.
 */

import {
  type Runtime,
  type SocketError,
  SocketFailure,
  type System,
  type Timer,
} from "../../runtime/contract/contract.ts";
import { canonicalIp } from "../bytes/ip_address.ts";
import type { FamilyAnswer, NameAnswer } from "./dns_look_up.ts";
import { type CancellableLookUp, NameSources } from "./name_sources.ts";

/** An answer counts for so long, whatever its time to live: another address is noticed within that time. */
const LEAST_FRESH_MS = 1000;
const MOST_FRESH_MS = 30_000;
/** How long a failure counts, so that dials in quick succession do not ask servers each time. */
const FAILED_MS = 250;
/** How long the last good answer is used while no name server gives a new one (RFC 8767 §5 allows for days). */
const STALE_MS = 3_600_000;
/** Waiting dials get the last good answer after this time (RFC 8767 §5: 1.8 s), and it is tried again after that. */
const PATIENCE_MS = 1800;
const STALE_AGAIN_MS = 5000;
/** Names that are known at a time. They come from the configuration, and swaps may add to them. */
const MOST_NAMES = 4096;

/** Exactly one of the two is called, once, never inside `lookUp`, and none after `cancel`. */
export interface NameEvents {
  /** At least one address, IPv6 first. */
  resolved(addresses: readonly string[]): void;
  failed(error: SocketError): void;
}

interface Waiter extends NameEvents {
  /** Content with one family while the other takes its time. */
  readonly hasty: boolean;
}

interface Family {
  readonly addresses: readonly string[];
  /** Monotonic milliseconds of the answer. */
  readonly at: number;
}

/** What is known of one name. */
class Entry {
  four: Family | null = null;
  six: Family | null = null;
  /** Monotonic milliseconds until which it is not asked for again. */
  freshUntil = -Infinity;
  answeredAt = -Infinity;
  error: SocketError | null = null;
  lookUp: CancellableLookUp | null = null;
  /** One family of the look-up that goes on is known. */
  partly = false;
  patience: Timer | null = null;
  readonly waiters = new Set<Waiter>();

  addresses(now: number): readonly string[] {
    return [this.six, this.four].flatMap((family) =>
      family !== null && now - family.at < STALE_MS ? family.addresses : []
    );
  }
}

export class Resolver {
  readonly #runtime: Runtime;
  readonly #sources: NameSources;
  readonly #entries = new Map<string, Entry>();

  /** @param runtime the platform's: dials go to IP literals */
  constructor(runtime: Runtime, system: Pick<System, "readText" | "nameFiles">) {
    this.#runtime = runtime;
    this.#sources = new NameSources(runtime, system);
  }

  /** Addresses that can be used at once; null when the name has to be looked up. */
  known(host: string): readonly string[] | null {
    const ip = canonicalIp(host);
    if (ip !== null) return [ip];
    const entry = this.#entries.get(host.toLowerCase());
    const now = this.#runtime.clock.now();
    if (entry === undefined || now >= entry.freshUntil) return null;
    const addresses = entry.addresses(now);
    return addresses.length === 0 ? null : addresses;
  }

  /** Looks a name up that is not `known`. */
  lookUp(host: string, events: NameEvents): CancellableLookUp {
    return this.#wait(host, { hasty: true, ...bound(events) });
  }

  /** All addresses of both families. Rejects with a `SocketFailure`: `dns_error` or `dns_timeout`. */
  resolve(host: string): Promise<readonly string[]> {
    const known = this.known(host);
    if (known !== null) return Promise.resolve(known);
    return new Promise((resolved, rejected) => {
      const failed = ({ code, detail }: SocketError) => rejected(new SocketFailure(code, detail));
      this.#wait(host, { hasty: false, resolved, failed });
    });
  }

  /** No address could be reached: the next look-up asks anew, unless this answer is new itself. */
  doubt(host: string): void {
    const entry = this.#entries.get(host.toLowerCase());
    const now = this.#runtime.clock.now();
    if (entry === undefined || now - entry.answeredAt < FAILED_MS) return;
    entry.freshUntil = -Infinity;
    if (entry.partly) this.#endPartly(entry);
  }

  /** The slower family must not keep us from asking again for the other one. */
  #endPartly(entry: Entry): void {
    entry.lookUp?.cancel();
    this.#settle(entry, null);
  }

  #wait(host: string, waiter: Waiter): CancellableLookUp {
    const name = host.toLowerCase();
    const entry = this.#entries.get(name) ?? this.#add(name);
    const now = this.#runtime.clock.now();
    if (entry.partly && now >= entry.freshUntil) this.#endPartly(entry);
    entry.waiters.add(waiter);
    if (entry.lookUp !== null) return { cancel: () => void entry.waiters.delete(waiter) };
    if (now < entry.freshUntil) {
      // It has failed a moment ago.
      const error = entry.error ?? { code: "dns_error", detail: `${name} has no address` };
      const timer = this.#runtime.clock.setTimer(0, () => {
        if (entry.waiters.delete(waiter)) waiter.failed(error);
      });
      return {
        cancel() {
          timer.cancel();
          entry.waiters.delete(waiter);
        },
      };
    }
    entry.partly = false;
    entry.lookUp = this.#sources.lookUp(name, {
      partly: (answer) => {
        entry.partly = true;
        this.#note(name, entry, answer);
        this.#tell(entry, true);
      },
      done: (answer) => this.#settle(entry, answer, name),
    });
    if (entry.addresses(now).length > 0) {
      entry.patience = this.#runtime.clock.setTimer(PATIENCE_MS, () => {
        entry.freshUntil = this.#runtime.clock.now() + STALE_AGAIN_MS;
        this.#tell(entry, false);
      }, true);
    }
    return { cancel: () => void entry.waiters.delete(waiter) };
  }

  #add(name: string): Entry {
    if (this.#entries.size >= MOST_NAMES) {
      for (const [other, { lookUp, waiters }] of this.#entries) {
        if (lookUp !== null || waiters.size > 0) continue;
        this.#entries.delete(other);
        break;
      }
    }
    const entry = new Entry();
    this.#entries.set(name, entry);
    return entry;
  }

  /** The look-up is over. */
  #settle(entry: Entry, answer: NameAnswer | null, name = ""): void {
    entry.lookUp = null;
    entry.partly = false;
    entry.patience?.cancel();
    entry.patience = null;
    if (answer !== null) this.#note(name, entry, answer);
    this.#tell(entry, false);
  }

  #note(name: string, entry: Entry, { four, six, failure }: NameAnswer): void {
    const now = this.#runtime.clock.now();
    const kept = (answer: FamilyAnswer | null, before: Family | null): Family | null =>
      answer === null ? before : { addresses: answer.addresses, at: now };
    entry.four = kept(four, entry.four);
    entry.six = kept(six, entry.six);
    const ttls = [four, six].filter((family) => family !== null && family.addresses.length > 0)
      .map((family) => family?.ttlMs ?? 0);
    entry.error = null;
    if (ttls.length > 0) {
      entry.answeredAt = now;
      entry.freshUntil = now + Math.max(LEAST_FRESH_MS, Math.min(MOST_FRESH_MS, ...ttls));
    } else if (entry.addresses(now).length > 0) {
      entry.freshUntil = now + STALE_AGAIN_MS;
    } else {
      entry.freshUntil = now + FAILED_MS;
      entry.error = failure === null
        ? { code: "dns_error", detail: `${name} has no address` }
        : { code: failure.silent ? "dns_timeout" : "dns_error", detail: `${name}: ${failure.detail}` };
    }
  }

  #tell(entry: Entry, hastyOnly: boolean): void {
    const addresses = entry.addresses(this.#runtime.clock.now());
    const error = entry.error ?? { code: "dns_error", detail: "no address" };
    for (const waiter of [...entry.waiters]) {
      if ((hastyOnly && !waiter.hasty) || !entry.waiters.delete(waiter)) continue;
      if (addresses.length > 0) waiter.resolved(addresses);
      else waiter.failed(error);
    }
  }
}

function bound(events: NameEvents): NameEvents {
  return {
    resolved: (addresses) => events.resolved(addresses),
    failed: (error) => events.failed(error),
  };
}
