/**
 * The holders of the slots of endpoints with `max_in_flight`. Strict: what has been granted and not come
 * back is never more than the limit. A slot counts as held from the moment a grant is sent until the
 * worker's `give` has arrived or its process is gone, so no message under way can make it count twice.
 *
 * First come, first served: a free slot goes to the worker whose oldest request has waited longest. While
 * none is free the other holders are told that a request waits, and for how long (`recall`); they give
 * what is free at once, and later whatever their own requests do not deserve more (`SlotShare`).
 *
 * During an upgrade there are two ledgers, each of which is one more holder of slots for the other: in the ledger of
 * the new process the old one holds what it has not given back (`expect`, `wake`); in that of the old process the new
 * one is the `superior`, which holds whatever was given back, wants all that lies free, and decides about limits.
 * The `recall` of one ledger is the `want` of the other, the `grant` of one is the `give` of the other.
 *
 * Longer than other files: granting, limits and names change the same accounts, and that no slot counts twice can be
 * seen only over all three.
 */

import {
  type Account,
  type Asked,
  drawsThrough,
  hang,
  heldBy,
  keyOf,
  newAccount,
  put,
  rootOf,
  slotsOf,
  take,
} from "./slot_account.ts";
import type { LimitedEndpoint } from "../worker/limits.ts";
import type { EndpointName, Slots, Wanted } from "../worker/messages.ts";

/** Tells a holder. Must not call back. */
export interface SlotSender {
  grant(worker: number, slots: Slots): void;
  recall(worker: number, wanted: Wanted): void;
}

/** A holder is told anew when the oldest request elsewhere is another one by more than this. */
const NEWS_MS = 10;
/** Accounts that are gone and hold nothing, at most. */
const MOST_IDLE = 64;
/** Wanted by a superior: more than there will ever be. */
const ALL = Number.MAX_SAFE_INTEGER;

export class SlotLedger {
  readonly #workers: number;
  readonly #now: () => number;
  readonly #send: SlotSender;
  readonly #accounts = new Map<string, Account>();
  /** Those that had another name before the last change, by that. */
  readonly #former = new Map<string, Account>();
  /** All that draw on the slots of one, by that; where there are no others it is missing. */
  readonly #groups = new Map<Account, readonly Account[]>();
  /** Workers that share. */
  readonly #joined = new Set<number>();
  /** Holders that are told nothing so far. */
  readonly #asleep = new Set<number>();
  /** The holder whose ledger decides about limits; null = this one does. */
  #superior: number | null = null;

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
    for (const name of endpoints) if (name.max > 0) this.#accounts.set(keyOf(name), newAccount(name));
  }

  // Another ledger

  /**
   * Before a worker joins: `holder` has all slots of these limits, and hears nothing before `wake`. It is as if there had been
   * a reload: what has another name by now, or has gone from the configuration, keeps what is held.
   *
   * @param theirs the limits as the holder has them, by its names
   * @param ours those of the configuration, with those that are 0
   * @param renamed as for `reconfigure`
   */
  expect(
    holder: number,
    theirs: readonly LimitedEndpoint[],
    ours: readonly LimitedEndpoint[],
    renamed: ReadonlyMap<string, string> = new Map(),
  ): void {
    this.#asleep.add(holder);
    this.#accounts.clear();
    for (const name of theirs) {
      if (name.max === 0) continue;
      const account = newAccount(name);
      take(account, holder, name.max);
      this.#accounts.set(keyOf(name), account);
    }
    this.reconfigure(ours, [], renamed);
  }

  /** There is a limit, or there was one and requests may still be on their way. */
  accountsFor(name: EndpointName): boolean {
    return this.#accounts.has(keyOf(name));
  }

  /** It hears what others want from now on. */
  wake(holder: number): void {
    this.#asleep.delete(holder);
    for (const account of this.#accounts.values()) this.#settle(account);
  }

  /** `holder` hands out the slots of these endpoints from now on: it gets what lies free, and all that comes back. */
  submit(holder: number, names: readonly EndpointName[]): void {
    this.#superior = holder;
    for (const name of names) {
      const account = this.#accounts.get(keyOf(name));
      if (account === undefined) continue;
      account.wants.set(holder, { count: ALL, since: Infinity });
      this.#settle(account);
    }
  }

  /** The superior's oldest request has waited so long; a count of 0: none waits. What lies free is its own either way. */
  press(wanted: Wanted): void {
    const account = this.#accounts.get(keyOf(wanted));
    if (account === undefined || this.#superior === null) return;
    // What the superior was told is old by now: without some leeway both ledgers could pass a slot to and fro.
    const since = wanted.count > 0 ? this.#now() - wanted.waitedMs + NEWS_MS : Infinity;
    account.wants.set(this.#superior, { count: ALL, since, pressing: wanted.count });
    this.#settle(account);
  }

  /** The superior grants slots: they are for the holders that want them here. */
  regain(slots: Slots): void {
    const account = this.#accounts.get(keyOf(slots));
    if (account === undefined || this.#superior === null) return;
    if (account.knownAs !== null) {
      // They were granted before the superior knew that no request waits for this one any more.
      this.#send.grant(this.#superior, slotsOf(slots, slots.count));
      return;
    }
    const want = account.wants.get(this.#superior);
    account.wants.delete(this.#superior);
    put(account, this.#superior, slots.count);
    this.#settle(account);
    if (want === undefined) return;
    account.wants.set(this.#superior, want);
    this.#settle(account);
  }

  // Limits

  /**
   * Limits are others now. Those of names that stay are kept to as soon as what is above them has been given
   * back; the holders are told to. Slots of new names are granted to `workers`, which know of them already, or are
   * the superior's. A name that is gone still has its slots, for requests that wait there, until it returns; an endpoint
   * that is new at its address shares them.
   *
   * @param renamed what upstreams were called before, by their names now: their endpoints keep what is held
   */
  reconfigure(
    endpoints: readonly LimitedEndpoint[],
    workers: readonly number[],
    renamed: ReadonlyMap<string, string> = new Map(),
  ): void {
    const before = new Map(this.#accounts);
    const all = [...before.values()];
    this.#accounts.clear();
    const former = [...this.#former].filter(([, account]) => account.gone && heldBy(account) > 0);
    this.#former.clear();
    const fresh: Account[] = [];
    const returned: Account[] = [];
    for (const name of endpoints) {
      const old = keyOf({ ...name, upstream: renamed.get(name.upstream) ?? name.upstream });
      const known = before.get(old);
      before.delete(old);
      // Without a limit nothing is accounted for.
      if (name.max === 0) {
        if (known !== undefined) this.#lift(known);
        continue;
      }
      const account = known ?? newAccount(name);
      this.#accounts.set(keyOf(name), account);
      if (known === undefined) {
        fresh.push(account);
        continue;
      }
      // Workers may have given slots by that name before they heard of the new one.
      if (old !== keyOf(name)) this.#former.set(old, account);
      if (account.gone) {
        returned.push(account);
        hang(account, null, all);
        account.gone = false;
        account.knownAs = null;
        // Holders have forgotten with the endpoint what they were told of it.
        account.recalled.clear();
        // The superior has all of it but what has not come back from requests that were under way when it went.
        if (this.#superior !== null) {
          take(account, this.#superior, account.free);
          account.wants.set(this.#superior, { count: ALL, since: Infinity });
        }
      }
      this.#raise(account, name.max - account.name.max);
      account.name = name;
    }
    const names = new Map(Array.from(renamed, ([name, old]) => [old, name]));
    for (const [old, account] of before) {
      const { upstream } = account.name;
      account.name = { ...account.name, upstream: names.get(upstream) ?? upstream };
      this.#abandon(account, [...fresh, ...returned], all);
      if (old !== keyOf(account.name)) {
        this.#former.set(old, this.#accounts.get(keyOf(account.name)) ?? account);
      }
    }
    for (const [key, account] of former) if (!this.#former.has(key)) this.#former.set(key, account);
    this.#forget();
    this.#group();
    for (const account of this.#accounts.values()) if (!fresh.includes(account)) this.#settle(account);
    if (this.#superior === null) {
      for (const account of [...fresh, ...returned]) this.#spread(account, workers);
      return;
    }
    for (const account of fresh) {
      take(account, this.#superior, account.name.max);
      account.wants.set(this.#superior, { count: ALL, since: Infinity });
    }
  }

  /** There is no limit any more. Workers know; another process goes on to ask, and gets what it wants. */
  #lift({ name, wants }: Account): void {
    for (const [holder, { count }] of wants) {
      if (holder < 0 && holder !== this.#superior) this.#send.grant(holder, slotsOf(name, count));
    }
  }

  #raise(account: Account, more: number): void {
    if (this.#superior === null) account.free += more;
    else account.held.set(this.#superior, (account.held.get(this.#superior) ?? 0) + more);
  }

  /** An account is not in the configuration any more. */
  #abandon(account: Account, taking: readonly Account[], all: readonly Account[]): void {
    if (this.#superior !== null) {
      this.#abandonFor(this.#superior, account, all);
      return;
    }
    const key = keyOf(account.name);
    const { address } = account.name;
    const namesake = this.#accounts.get(key);
    const heir = namesake ?? taking.find(({ name }) => address !== undefined && name.address === address);
    account.gone = true;
    if (heir !== undefined) {
      if (drawsThrough(heir, account)) hang(heir, account.heir, all);
      hang(account, heir, all);
    }
    if (namesake === undefined) {
      this.#accounts.set(key, account);
      return;
    }
    // Another one has been given its name: what is said of either is said by that.
    for (const [worker, count] of account.held) {
      namesake.held.set(worker, (namesake.held.get(worker) ?? 0) + count);
    }
    account.held.clear();
    for (const [worker, want] of account.wants) {
      if (!namesake.wants.has(worker)) namesake.wants.set(worker, want);
    }
  }

  /** The same where a superior decides about limits: it counts what workers here hold, and gets it when it comes back. */
  #abandonFor(superior: number, account: Account, all: readonly Account[]): void {
    const key = keyOf(account.name);
    account.gone = true;
    account.wants.clear();
    account.held.delete(superior);
    const namesake = this.#accounts.get(key);
    if (namesake === undefined) {
      const root = rootOf(account);
      account.knownAs = root.knownAs ?? root.name;
      account.name = { ...account.name, max: 0 };
      hang(account, null, all);
      this.#accounts.set(key, account);
      return;
    }
    for (const [worker, count] of account.held) take(namesake, worker, count);
    take(namesake, superior, -heldBy(account));
    account.held.clear();
  }

  /** Slots have come back. */
  #put(account: Account, holder: number, count: number): void {
    put(account, holder, count);
    const superior = this.#superior;
    if (account.knownAs === null || superior === null || holder === superior || count === 0) return;
    this.#send.grant(superior, slotsOf(account.knownAs, count));
  }

  /** Of many reloads names would remain for ever. */
  #forget(): void {
    const idle = [...this.#accounts].filter(([, account]) =>
      account.gone && heldBy(account) === 0 &&
      ![...this.#accounts.values()].some(({ heir }) => heir === account)
    );
    for (const [key] of idle.slice(0, Math.max(0, idle.length - MOST_IDLE))) this.#accounts.delete(key);
  }

  #group(): void {
    this.#groups.clear();
    for (const account of this.#accounts.values()) {
      if (account.heir === null) continue;
      const root = rootOf(account);
      this.#groups.set(root, [...this.#groups.get(root) ?? [root], account]);
    }
  }

  /** Gives each its part of what is free. */
  #spread(account: Account, workers: Iterable<number> = this.#joined): void {
    if (account.gone) return;
    for (const worker of workers) {
      const held = account.held.get(worker) ?? 0;
      const count = Math.min(account.free, this.#fairShare(account) - held);
      if (count > 0) this.#grant(account, worker, count);
    }
  }

  // Holders

  /** A worker begins: its part of what is free, to be told with its start. */
  join(worker: number): Slots[] {
    this.#joined.add(worker);
    const slots: Slots[] = [];
    for (const account of this.#accounts.values()) {
      if (account.gone) continue;
      const count = account.wants.size > 0
        ? 0
        : Math.max(0, Math.min(account.free, this.#fairShare(account)));
      if (count > 0) {
        take(account, worker, count);
        slots.push(slotsOf(account.name, count));
      }
    }
    return slots;
  }

  /** What is left over by the division stays free for the first worker that asks, unless there is but one. */
  #fairShare(account: Account): number {
    return Math.floor(account.name.max / this.#workers);
  }

  /** Replaces what the worker wanted before. Another process gets what it wants where there is no limit (any more). */
  want(worker: number, wanted: Wanted): void {
    const account = this.#accounts.get(keyOf(wanted)) ?? this.#former.get(keyOf(wanted));
    if (account === undefined) {
      if (worker < 0 && wanted.count > 0) this.#send.grant(worker, slotsOf(wanted, wanted.count));
      return;
    }
    if (wanted.count <= 0) account.wants.delete(worker);
    else account.wants.set(worker, { count: wanted.count, since: this.#now() - wanted.waitedMs });
    this.#settle(account);
  }

  /** @returns false when the holder gave what it did not have: a bug, and nothing was booked */
  give(holder: number, slots: Slots): boolean {
    const account = this.#accounts.get(keyOf(slots)) ?? this.#former.get(keyOf(slots));
    // It was sent before its endpoint had gone from the configuration.
    if (account === undefined) return true;
    const accounts = holder < 0 ? [account, ...this.#alike(account)] : [account];
    const held = accounts.reduce((sum, each) => sum + Math.max(0, each.held.get(holder) ?? 0), 0);
    if (!(slots.count > 0) || slots.count > held) return false;
    let left = slots.count;
    for (const each of accounts) {
      const count = Math.min(left, each.held.get(holder) ?? 0);
      if (count <= 0) continue;
      left -= count;
      this.#put(each, holder, count);
      this.#settle(each);
      // Another process does not get back what it has given unless it asks: so workers that do not ask have their part.
      if (holder < 0) this.#spread(rootOf(each));
    }
    return true;
  }

  /**
   * Other names of the same backend. Names change in another process at other times than here, so what that holds by
   * one name it may give by another.
   */
  #alike(account: Account): Account[] {
    const { address } = account.name;
    const root = rootOf(account);
    return [...this.#accounts.values()].filter((each) =>
      each !== account &&
      (rootOf(each) === root || (address !== undefined && each.name.address === address))
    );
  }

  /** The holder's process is gone, and with it every connection it had. What was another process's is dealt out. */
  leave(worker: number): void {
    if (worker === this.#superior) this.#superior = null;
    this.#joined.delete(worker);
    for (const account of [...this.#accounts.values()]) {
      this.#put(account, worker, account.held.get(worker) ?? 0);
      account.held.delete(worker);
      account.wants.delete(worker);
      account.recalled.delete(worker);
      this.#settle(account);
      if (worker < 0) this.#spread(rootOf(account));
    }
  }

  /** Slots held by each worker and free, for status and tests. */
  heldOf(name: EndpointName): { readonly free: number; readonly held: ReadonlyMap<number, number> } {
    const account = this.#accounts.get(keyOf(name));
    return account === undefined
      ? { free: 0, held: new Map() }
      : { free: rootOf(account).free, held: account.held };
  }

  #settle(account: Account): void {
    const root = rootOf(account);
    const group = this.#groups.get(root) ?? [root];
    while (root.free > 0 && this.#grantOldest(root, group));
    for (const each of group) for (const [worker, held] of each.held) this.#tell(each, worker, held, group);
  }

  /** @returns false when no holder wants a slot */
  #grantOldest(root: Account, group: readonly Account[]): boolean {
    let from: Account | null = null;
    let oldest = 0;
    let asked: Asked = { count: 0, since: Infinity };
    for (const account of group) {
      for (const [worker, want] of account.wants) {
        if (from === null || want.since < asked.since) {
          from = account;
          oldest = worker;
          asked = want;
        }
      }
    }
    if (from === null) return false;
    // Behind its oldest request stand younger ones, which others may precede: so not all at once.
    const count = Math.min(asked.count, Math.max(1, Math.floor(root.free / from.wants.size)));
    asked.count -= count;
    if (asked.count === 0) from.wants.delete(oldest);
    if (asked.pressing !== undefined) {
      asked.pressing -= count;
      // Its ledger says anew when more of its requests wait: it has booked these by then.
      if (asked.pressing <= 0) asked.since = Infinity;
    }
    this.#grant(from, oldest, count);
    return true;
  }

  #grant(account: Account, holder: number, count: number): void {
    take(account, holder, count);
    this.#send.grant(holder, slotsOf(account.name, count));
  }

  /** Tells a holder what others wait for, if that is news. */
  #tell(account: Account, worker: number, held: number, group: readonly Account[]): void {
    if (this.#asleep.has(worker)) return;
    // What is held above the limit comes back before anything else.
    let count = Math.max(0, -rootOf(account).free);
    let since = count > 0 ? 0 : Infinity;
    for (const each of group) {
      for (const [other, want] of each.wants) {
        if (other === worker) continue;
        count += want.count;
        since = Math.min(since, want.since);
      }
    }
    count = Math.max(0, Math.min(count, held));
    const told = account.recalled.get(worker);
    const before = told?.count ?? 0;
    if (count === before && (count === 0 || told?.since === since)) return;
    if (count === before && Math.abs((told?.since ?? 0) - since) <= NEWS_MS) return;
    if (count === 0) account.recalled.delete(worker);
    else account.recalled.set(worker, { count, since });
    const { upstream, endpoint } = account.name;
    const waitedMs = count === 0 ? 0 : Math.max(0, this.#now() - since);
    this.#send.recall(worker, { upstream, endpoint, count, waitedMs });
  }
}
