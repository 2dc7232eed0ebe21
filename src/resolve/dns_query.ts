/** All addresses of one family that name servers know for one name: every server in turn, several times, aliases followed. */

import type { Runtime } from "../../runtime/contract/contract.ts";
import { DnsExchange, type ServerAnswer } from "./dns_exchange.ts";
import { type Family, isQueryable } from "./dns_message.ts";
import type { NameServer, ResolvConf } from "./resolv_conf.ts";
import type { ServerMemory } from "./server_memory.ts";

/**
 * `found`: all addresses; none = the name has none of this family. `absent`: no such name. `failed`: no server knows;
 * `silent` = because no server answered in time.
 */
export type QueryResult =
  | { readonly kind: "found"; readonly addresses: readonly string[]; readonly ttlMs: number }
  | { readonly kind: "absent" }
  | { readonly kind: "failed"; readonly silent: boolean; readonly detail: string };

/** Names that are asked for one after the other because each is an alias. */
const MOST_ALIASES = 8;
const RCODE_NAMES = ["", "format error", "server failure", "", "not implemented", "refused"];

export class DnsQuery {
  readonly #runtime: Runtime;
  readonly #conf: ResolvConf;
  readonly #memory: ServerMemory;
  readonly #family: Family;
  readonly #done: (result: QueryResult) => void;
  #name: string;
  #aliases = 0;
  #ttlMs = Infinity;
  /** Servers still to be asked, for this name. */
  #servers: NameServer[] = [];
  #exchange: DnsExchange | null = null;
  #failure: Extract<QueryResult, { kind: "failed" }> = { kind: "failed", silent: false, detail: "" };

  /** @param done called once, never inside this call, and not after `cancel`. `name` is queryable. */
  constructor(
    runtime: Runtime,
    conf: ResolvConf,
    memory: ServerMemory,
    name: string,
    family: Family,
    done: (result: QueryResult) => void,
  ) {
    this.#runtime = runtime;
    this.#conf = conf;
    this.#memory = memory;
    this.#family = family;
    this.#done = done;
    this.#name = name;
    this.#begin();
  }

  cancel(): void {
    this.#exchange?.cancel();
    this.#servers = [];
  }

  #begin(): void {
    const once = this.#memory.inOrder(this.#conf, this.#runtime.clock.now());
    this.#servers = Array.from({ length: this.#conf.attempts }, () => once).flat();
    this.#ask();
  }

  #ask(): void {
    const server = this.#servers.shift();
    if (server === undefined) {
      this.#done(this.#failure);
      return;
    }
    const { timeoutMs, tcp } = this.#conf;
    const question = { name: this.#name, family: this.#family };
    this.#exchange = new DnsExchange(
      this.#runtime,
      server,
      question,
      { timeoutMs, tcp },
      (answer) => this.#answered(server, answer),
    );
  }

  #answered(server: NameServer, answer: ServerAnswer): void {
    const now = this.#runtime.clock.now();
    switch (answer.kind) {
      case "answer":
        this.#memory.answered(server);
        this.#done({
          kind: "found",
          addresses: answer.addresses,
          ttlMs: Math.min(this.#ttlMs, answer.ttlMs),
        });
        return;
      case "absent":
        this.#memory.answered(server);
        this.#done({ kind: "absent" });
        return;
      case "alias":
        this.#memory.answered(server);
        this.#ttlMs = Math.min(this.#ttlMs, answer.ttlMs);
        this.#name = answer.name;
        if (++this.#aliases <= MOST_ALIASES && isQueryable(answer.name)) this.#begin();
        else this.#done({ kind: "failed", silent: false, detail: `more than ${MOST_ALIASES} aliases` });
        return;
      case "refused": {
        const why = answer.rcode < 0
          ? "a malformed answer"
          : RCODE_NAMES[answer.rcode] || `error ${answer.rcode}`;
        this.#failed(server, { kind: "failed", silent: false, detail: `${server.host}: ${why}` });
        return;
      }
      case "silent":
        this.#memory.wasSilent(server, now);
        this.#failed(server, { kind: "failed", silent: true, detail: `${server.host} did not answer` });
        return;
      case "unreachable":
        this.#memory.wasSilent(server, now);
        this.#failed(server, { kind: "failed", silent: false, detail: `${server.host}: ${answer.detail}` });
        return;
      default:
        answer satisfies never;
    }
  }

  /** What a server said counts for more than that another one said nothing. */
  #failed(server: NameServer, failure: Extract<QueryResult, { kind: "failed" }>): void {
    if (this.#failure.detail === "" || this.#failure.silent) this.#failure = failure;
    // Once more is for what may have been lost on the way.
    if (!failure.silent) this.#servers = this.#servers.filter((other) => other !== server);
    this.#ask();
  }
}
