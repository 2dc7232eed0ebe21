/**
 * Who holds which slots of the endpoints with `max_in_flight`. Strict: what has been granted and not come
 * back is never more than the limit. A slot counts as held from the moment a grant is sent until the
 * worker's `give` has arrived or its process is gone, so no message under way can make it count twice.
 *
 * First come, first served: a free slot goes to the worker whose oldest request has waited longest. While
 * none is free the other holders are told that somebody waits, and for how long (`recall`); they give
 * what is free at once, and later whatever their own requests do not deserve more (`SlotShare`).
 */

import type { EndpointName, Slots, Wanted } from "./messages.ts";

/** An endpoint with a limit. */
export interface LimitedEndpoint extends EndpointName {
  /** Requests at a time, > 0. */
  readonly max: number;
}

/** Tells a worker. Must not call back. */
export interface SlotSender {
  grant(worker: number, slots: Slots): void;
  recall(worker: number, wanted: Wanted): void;
}

/** A holder is told anew when the oldest request elsewhere is another one by more than this. */
const NEWS_MS = 10;

interface Asked {
  count: number;
  /** Monotonic milliseconds of the oldest request's arrival. */
  since: number;
}

interface Account {
  name: LimitedEndpoint;
  /** Negative while more are held than the limit, which was lowered, allows. */
  free: number;
  readonly held: Map<number, number>;
  readonly wants: Map<number, Asked>;
  /** What holders were last told. */
  readonly recalled: Map<number, Asked>;
}

export class SlotLedger {
  readonly #workers: number;
  readonly #now: () => number;
  readonly #send: SlotSender;
  readonly #accounts = new Map<string, Account>();

  /**
   * @param workers how many share
   * @param now monotonic milliseconds
   */
  constructor(
    endpoints: readonly LimitedEndpoint[],
    workers: number,
    now: () => number,
    send: SlotSender,
  ) {
    this.#workers = workers;
    this.#now = now;
    this.#send = send;
    for (const name of endpoints) {
      const account = { name, free: name.max, held: new Map(), wants: new Map(), recalled: new Map() };
      this.#accounts.set(keyOf(name), account);
    }
  }

  /**
   * Limits are others now. Those of names that stay are kept to as soon as what is above them has been given
   * back; the holders are told to. Slots of new names are granted to `workers`, which know of them already.
   */
  reconfigure(endpoints: readonly LimitedEndpoint[], workers: readonly number[]): void {
    const before = new Map(this.#accounts);
    this.#accounts.clear();
    for (const name of endpoints) {
      const known = before.get(keyOf(name));
      if (known !== undefined) {
        known.free += name.max - known.name.max;
        known.name = name;
        this.#accounts.set(keyOf(name), known);
        this.#settle(known);
        continue;
      }
      const account = { name, free: name.max, held: new Map(), wants: new Map(), recalled: new Map() };
      this.#accounts.set(keyOf(name), account);
      for (const worker of workers) {
        const count = this.#fairShare(account);
        if (count === 0) continue;
        take(account, worker, count);
        this.#send.grant(worker, { upstream: name.upstream, endpoint: name.endpoint, count });
      }
    }
  }

  /** A worker begins: its part of what is free, to be told with its start. */
  join(worker: number): Slots[] {
    const slots: Slots[] = [];
    for (const account of this.#accounts.values()) {
      const count = account.wants.size > 0
        ? 0
        : Math.max(0, Math.min(account.free, this.#fairShare(account)));
      if (count > 0) {
        take(account, worker, count);
        slots.push({ upstream: account.name.upstream, endpoint: account.name.endpoint, count });
      }
    }
    return slots;
  }

  /** What is left over by the division stays free for whoever asks first, unless there is but one. */
  #fairShare(account: Account): number {
    return Math.floor(account.name.max / this.#workers);
  }

  /** Replaces what the worker wanted before. */
  want(worker: number, wanted: Wanted): void {
    const account = this.#accounts.get(keyOf(wanted));
    if (account === undefined) return;
    if (wanted.count <= 0) account.wants.delete(worker);
    else account.wants.set(worker, { count: wanted.count, since: this.#now() - wanted.waitedMs });
    this.#settle(account);
  }

  /** @returns false when the worker gave what it did not have: a bug, and nothing was booked */
  give(worker: number, slots: Slots): boolean {
    const account = this.#accounts.get(keyOf(slots));
    // It was sent before its endpoint had gone from the configuration.
    if (account === undefined) return true;
    const held = account.held.get(worker) ?? 0;
    if (!(slots.count > 0) || slots.count > held) return false;
    account.held.set(worker, held - slots.count);
    account.free += slots.count;
    const recalled = account.recalled.get(worker);
    if (recalled !== undefined) recalled.count = Math.max(0, recalled.count - slots.count);
    this.#settle(account);
    return true;
  }

  /** The worker's process is gone, and with it every connection it had. */
  leave(worker: number): void {
    for (const account of this.#accounts.values()) {
      account.free += account.held.get(worker) ?? 0;
      account.held.delete(worker);
      account.wants.delete(worker);
      account.recalled.delete(worker);
      this.#settle(account);
    }
  }

  /** Slots held by each worker and free, for status and tests. */
  heldOf(name: EndpointName): { readonly free: number; readonly held: ReadonlyMap<number, number> } {
    const account = this.#accounts.get(keyOf(name));
    return account === undefined ? { free: 0, held: new Map() } : account;
  }

  #settle(account: Account): void {
    while (account.free > 0 && account.wants.size > 0) this.#grantOldest(account);
    for (const [worker, held] of account.held) this.#tell(account, worker, held);
  }

  #grantOldest(account: Account): void {
    let oldest = -1;
    let asked: Asked = { count: 0, since: Infinity };
    for (const [worker, want] of account.wants) {
      if (want.since < asked.since || oldest < 0) {
        oldest = worker;
        asked = want;
      }
    }
    // Behind its oldest request stand younger ones, which others may precede: so not all at once.
    const count = Math.min(asked.count, Math.max(1, Math.floor(account.free / account.wants.size)));
    asked.count -= count;
    if (asked.count === 0) account.wants.delete(oldest);
    take(account, oldest, count);
    const { upstream, endpoint } = account.name;
    this.#send.grant(oldest, { upstream, endpoint, count });
  }

  /** Tells a holder what others wait for, if that is news. */
  #tell(account: Account, worker: number, held: number): void {
    // What is held above the limit comes back before anything else.
    let count = Math.max(0, -account.free);
    let since = count > 0 ? 0 : Infinity;
    for (const [other, want] of account.wants) {
      if (other === worker) continue;
      count += want.count;
      since = Math.min(since, want.since);
    }
    count = Math.min(count, held);
    const told = account.recalled.get(worker);
    const before = told?.count ?? 0;
    if (count === before && (count === 0 || Math.abs((told?.since ?? 0) - since) <= NEWS_MS)) return;
    if (count === 0) account.recalled.delete(worker);
    else account.recalled.set(worker, { count, since });
    const { upstream, endpoint } = account.name;
    const waitedMs = count === 0 ? 0 : Math.max(0, this.#now() - since);
    this.#send.recall(worker, { upstream, endpoint, count, waitedMs });
  }
}

function take(account: Account, worker: number, count: number): void {
  account.free -= count;
  account.held.set(worker, (account.held.get(worker) ?? 0) + count);
}

function keyOf({ upstream, endpoint }: EndpointName): string {
  return `${upstream}\n${endpoint}`;
}
