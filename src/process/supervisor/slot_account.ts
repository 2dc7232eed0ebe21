/** The account of one endpoint with `max_in_flight` in the ledger: the holders of its slots, and those that want one. */

import type { LimitedEndpoint } from "../worker/limits.ts";
import type { EndpointName, Slots } from "../worker/messages.ts";

export interface Asked {
  count: number;
  /** Monotonic milliseconds of the oldest request's arrival; Infinity = no request waits. */
  since: number;
  /** Of a superior, which wants all that is free: for how many of them a request waits there. */
  pressing?: number;
}

export interface Account {
  name: LimitedEndpoint;
  /** Negative while more are held than the limit, which was lowered, allows. Of one that has an heir it means nothing. */
  free: number;
  readonly held: Map<number, number>;
  readonly wants: Map<number, Asked>;
  /** What holders were last told. */
  readonly recalled: Map<number, Asked>;
  /** It is not in the configuration any more, but requests to it may still run, or wait. */
  gone: boolean;
  /** Has its address now, and so the slots that both draw on; null = it has slots of its own. */
  heir: Account | null;
  /** It has no slots of its own any more: what comes back goes to the superior, which knows it by this name. */
  knownAs: EndpointName | null;
}

export function newAccount(name: LimitedEndpoint): Account {
  return {
    name,
    free: name.max,
    held: new Map(),
    wants: new Map(),
    recalled: new Map(),
    gone: false,
    heir: null,
    knownAs: null,
  };
}

export function heldBy({ held }: Account): number {
  return [...held.values()].reduce((sum, count) => sum + count, 0);
}

/** The one whose slots it draws on. */
export function rootOf(account: Account): Account {
  let root = account;
  while (root.heir !== null) root = root.heir;
  return root;
}

/** From now on it draws on the slots of `heir`; null = on its own. So does whatever has drawn on them through it. */
export function hang(account: Account, heir: Account | null, all: readonly Account[]): void {
  const used = all.filter((each) => drawsThrough(each, account)).reduce((sum, each) => sum + heldBy(each), 0);
  if (account.heir !== null) rootOf(account).free += used;
  account.heir = heir;
  if (heir === null) account.free = account.name.max - used;
  else rootOf(heir).free -= used;
}

export function drawsThrough(account: Account, other: Account): boolean {
  for (let each: Account | null = account; each !== null; each = each.heir) if (each === other) return true;
  return false;
}

export function take(account: Account, holder: number, count: number): void {
  rootOf(account).free -= count;
  account.held.set(holder, (account.held.get(holder) ?? 0) + count);
}

export function put(account: Account, holder: number, count: number): void {
  take(account, holder, -count);
  const recalled = account.recalled.get(holder);
  if (recalled !== undefined) recalled.count = Math.max(0, recalled.count - count);
}

export function slotsOf({ upstream, endpoint }: EndpointName, count: number): Slots {
  return { upstream, endpoint, count };
}

export function keyOf({ upstream, endpoint }: EndpointName): string {
  return `${upstream}\n${endpoint}`;
}
