/**
 * Asks name servers for a name as it was written: both families at once, and with the domains of the search list behind
 * it until one of the names exists.
 */

import type { Runtime, Timer } from "../../runtime/contract/contract.ts";
import type { Family } from "./dns_message.ts";
import { isQueryable } from "./dns_message.ts";
import { DnsQuery, type QueryResult } from "./dns_query.ts";
import { candidates, type ResolvConf } from "./resolv_conf.ts";
import type { ServerMemory } from "./server_memory.ts";

export interface FamilyAnswer {
  readonly addresses: readonly string[];
  readonly ttlMs: number;
}

/** What is known of a name; null = that family is not known, or not yet. */
export interface NameAnswer {
  readonly four: FamilyAnswer | null;
  readonly six: FamilyAnswer | null;
  /** Why a family is not known. `silent`: no name server answered in time. Null when both are. */
  readonly failure: { readonly silent: boolean; readonly detail: string } | null;
}

/** Never called inside the constructor, nor after `cancel`. */
export interface LookUpEvents {
  /** One family has addresses, and the other takes its time. At most once. */
  partly(answer: NameAnswer): void;
  /** Once, last. */
  done(answer: NameAnswer): void;
}

export const NO_ADDRESS: NameAnswer = {
  four: { addresses: [], ttlMs: 0 },
  six: { addresses: [], ttlMs: 0 },
  failure: null,
};

/** How long the second family is waited for before the first one is used (RFC 8305 §3). */
const PARTLY_MS = 50;
/** The slower family is given up so long after the other has come. */
const STRAGGLER_MS = 2000;

export class DnsLookUp {
  readonly #runtime: Runtime;
  readonly #conf: ResolvConf;
  readonly #memory: ServerMemory;
  readonly #events: LookUpEvents;
  readonly #names: string[];
  #queries: DnsQuery[] = [];
  #four: QueryResult | null = null;
  #six: QueryResult | null = null;
  #failure: NameAnswer["failure"] = null;
  #timer: Timer | null = null;

  /** @param name lower case */
  constructor(runtime: Runtime, conf: ResolvConf, memory: ServerMemory, name: string, events: LookUpEvents) {
    this.#runtime = runtime;
    this.#conf = conf;
    this.#memory = memory;
    this.#events = events;
    this.#names = candidates(name, conf).filter(isQueryable);
    if (this.#names.length > 0) this.#askNext();
    else this.#timer = runtime.clock.setTimer(0, () => events.done(NO_ADDRESS));
  }

  cancel(): void {
    this.#timer?.cancel();
    for (const query of this.#queries) query.cancel();
  }

  #askNext(): void {
    const name = this.#names.shift();
    if (name === undefined) {
      this.#events.done(
        this.#failure === null ? NO_ADDRESS : { four: null, six: null, failure: this.#failure },
      );
      return;
    }
    this.#four = null;
    this.#six = null;
    const ask = (family: Family, heard: (result: QueryResult) => void) =>
      new DnsQuery(this.#runtime, this.#conf, this.#memory, name, family, (result) => {
        heard(result);
        this.#heard();
      });
    this.#queries = [
      ask("AAAA", (result) => this.#six = result),
      ask("A", (result) => this.#four = result),
    ];
  }

  #heard(): void {
    const [four, six] = [this.#four, this.#six];
    if (four === null || six === null) {
      if (hasAddress(four) || hasAddress(six)) this.#watchStraggler();
      return;
    }
    this.#timer?.cancel();
    if (hasAddress(four) || hasAddress(six)) {
      this.#events.done(this.#answer());
      return;
    }
    const failed = [four, six].find((result) => result.kind === "failed");
    if (failed !== undefined) this.#failure = { silent: failed.silent, detail: failed.detail };
    // No server would answer for another name either.
    if (failed?.silent === true) this.#names.length = 0;
    this.#askNext();
  }

  #watchStraggler(): void {
    const { clock } = this.#runtime;
    this.#timer = clock.setTimer(PARTLY_MS, () => {
      this.#timer = clock.setTimer(STRAGGLER_MS, () => {
        this.cancel();
        this.#events.done(this.#answer());
      }, true);
      this.#events.partly(this.#answer());
    }, true);
  }

  #answer(): NameAnswer {
    const [four, six] = [this.#four, this.#six];
    const failed = [four, six].find((result) => result?.kind === "failed");
    const waiting = four === null || six === null;
    return {
      four: familyOf(four),
      six: familyOf(six),
      failure: failed?.kind === "failed"
        ? { silent: failed.silent, detail: failed.detail }
        : waiting
        ? { silent: true, detail: "one family was not answered" }
        : null,
    };
  }
}

function hasAddress(result: QueryResult | null): boolean {
  return result?.kind === "found" && result.addresses.length > 0;
}

function familyOf(result: QueryResult | null): FamilyAnswer | null {
  if (result === null || result.kind === "failed") return null;
  return result.kind === "found" ? result : { addresses: [], ttlMs: 0 };
}
