/**
 * Clients ask anonymously, with a password of their own and in NTLM sessions of their own, through one Sluice that has a
 * credential for the origin; the origin resets connections, ends them, forgets sessions and nonces; the password and the user of
 * the credential change, with a reload and without; others ask for an origin that the credential is not for. Whatever the order:
 *
 * - a request without credentials is answered as the credential's user at that time or as nobody, a request of a user as that user or
 *   as nobody, and each gets the answer to its own request
 * - the origin sees a user's credentials on that user's requests only, and ours on those that came without
 * - the other origin never sees any of ours
 * - nothing is told of a secret, and in the end nothing is left
 *
 * A failure prints the seed and what was done; SLUICE_TEST_SEED runs one seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { digests } from "../../../runtime/shared/digests.ts";
import {
  authenticateMessage,
  negotiateMessage,
  readChallengeMessage,
} from "../../../src/credentials/ntlm/ntlm_messages.ts";
import { Random } from "../../fuzz/support/random.ts";
import { GuardedServer, type GuardScheme } from "../../support/guarded_server.ts";
import type { Peer } from "../../support/memory_lab.ts";
import { PlaneLab } from "../../support/plane_lab.ts";
import { groupName, walkSeedGroups } from "../../support/seeds.ts";

const SEEDS = 60;
const SEEDS_A_TEST = 20;
const STEPS = 70;
const OURS = ["svc", "svd"];
const PASSWORDS: Readonly<Record<string, string>> = { alice: "password-of-alice", bob: "password-of-bob" };

/** A connection of a client, which has one request under way at most. */
class Client {
  readonly peer: Peer;
  /** "" = anonymous. */
  readonly user: string;
  readonly how: "plain" | "basic" | "ntlm";
  /** Of the request under way; "" = none is. */
  target = "";
  /** An NTLM session: the next message that is to be sent, and whether it is there. */
  message = 1;

  constructor(peer: Peer, user: string, how: Client["how"]) {
    this.peer = peer;
    this.user = user;
    this.how = how;
  }
}

class Walk {
  readonly random: Random;
  readonly scheme: "ntlm" | "digest" | "basic";
  readonly trace: string[] = [];
  lab!: PlaneLab; // set by `run`
  guard!: GuardedServer;
  other!: GuardedServer;
  clients: Client[] = [];
  #requests = 0;
  #secrets = 0;
  #user = "svc";
  #rotted = 0;
  answered = 0;
  asUs = 0;
  asThemselves = 0;
  /** Users that requests without credentials may be answered as, by target. */
  readonly #ours = new Map<string, Set<string>>();

  constructor(seed: number) {
    this.random = new Random(seed);
    this.scheme = this.random.pick(["ntlm", "ntlm", "digest", "basic"]);
  }

  get #yaml(): string {
    return `listen: "127.0.0.1:0"
access_log: json
hold: 2s
routes: [{match: {host: other}, to: other}, {to: app}]
upstreams: {app: {endpoints: 3000, credential: corp}, other: {endpoints: 3001}}
credentials: {corp: {scheme: ${this.scheme}, user: ${this.#user}, password_file: /secret}}
`;
  }

  async run(): Promise<void> {
    const { random } = this;
    this.lab = await PlaneLab.start(this.#yaml, {}, { "/secret": "secret0" });
    const backend = await this.lab.backend(3000);
    const all: readonly GuardScheme[] = this.scheme === "basic"
      ? ["ntlm", "basic"]
      : ["ntlm", "digest", "basic"];
    this.guard = new GuardedServer(backend, { svc: "secret0", svd: "secret0", ...PASSWORDS }, all);
    this.other = new GuardedServer(await this.lab.backend(3001), { ...PASSWORDS }, all);
    const answer = backend.script;
    backend.script = (peer, head) => {
      const what = random.next(12);
      if (this.#rotted > 0 && what === 0) peer.socket.abort();
      else answer?.(peer, head);
      if (this.#rotted > 0 && what === 1) peer.socket.close();
    };
    for (let step = 0; step < STEPS; step++) await this.#step();
    this.#rotted = 0;
    this.#do("end");
    await this.lab.pass(6000);
    for (const client of this.clients) client.peer.socket?.close();
    await this.lab.pass(100);
    this.#judge();
    const status = await this.lab.plane.status();
    for (const { in_flight: inFlight, waiting, endpoints } of status.upstreams) {
      assert.deepEqual([inFlight, waiting, endpoints[0]?.pinned], [0, 0, 0], "something is left");
    }
    await this.lab.stop();
    const told = this.lab.system.stdout + this.lab.system.stderr;
    assert.ok(!/secret\d|password-of/.test(told), "a secret was told");
  }

  #do(what: string): void {
    this.trace.push(what);
  }

  async #step(): Promise<void> {
    const { random, lab } = this;
    const what = random.next(20);
    if (what < 4) this.#open();
    else if (what < 12) this.#ask();
    else if (what === 12) {
      this.#do("origin is rotten, or is not any more");
      this.#rotted = 1 - this.#rotted;
    } else if (what === 13) {
      this.#do("another nonce");
      this.guard.renew();
    } else if (what === 14) {
      this.#do("connections reset");
      for (const peer of lab.backends[0]?.peers ?? []) {
        if (peer.end === "" && random.once(3)) peer.socket.abort();
      }
    } else if (what === 15) {
      this.#newSecret();
    } else if (what === 16) {
      this.#newSecret();
      this.#user = random.pick(OURS);
      lab.yaml = this.#yaml;
      this.#do(`reload as ${this.#user}`);
      // Those that are under way may be answered as either.
      for (const users of this.#ours.values()) users.add(this.#user);
      const outcome = await lab.done(lab.plane.reload());
      assert.ok(outcome.ok, JSON.stringify(outcome));
      for (const target of this.#ours.keys()) {
        if (!this.clients.some((client) => client.target === target)) this.#ours.delete(target);
      }
    } else if (what === 17 && this.clients.length > 0) {
      const [gone] = this.clients.splice(random.next(this.clients.length), 1);
      this.#do(`a client leaves`);
      gone?.peer.socket?.abort();
    } else await lab.pass(random.pick([1, 5, 5, 50, 500]));
    lab.runtime.network.run();
    if (random.once(2)) await lab.pass(random.pick([1, 5]));
    this.#judge();
  }

  /** All users of ours get it: which of them is in use is another matter. */
  #newSecret(): void {
    const secret = `secret${++this.#secrets}`;
    this.#do(`password ${secret}`);
    for (const user of OURS) this.guard.setPassword(user, secret);
    this.lab.system.files.set("/secret", secret);
  }

  #open(): void {
    const user = this.random.pick(["", "", "alice", "bob"]);
    const how = user === "" ? "plain" : this.random.pick(["basic", "ntlm"] as const);
    this.#do(`open for ${user === "" ? "nobody" : user} ${how}`);
    this.clients.push(new Client(this.lab.dial(), user, how));
  }

  #ask(): void {
    const idle = this.clients.filter((client) => client.target === "" && client.peer.end === "");
    if (idle.length === 0) return;
    const client = this.random.pick(idle);
    const { how, user, peer } = client;
    const host = how !== "ntlm" && this.random.once(6) ? "other" : "app";
    const field = this.#fieldOf(client);
    client.target = `/${host}/${user === "" ? "nobody" : user}/${++this.#requests}`;
    this.#do(`ask ${client.target} ${field.slice(0, 20)}`);
    if (user === "") this.#ours.set(client.target, new Set([this.#user]));
    peer.received = "";
    const body = this.random.once(3) ? "x".repeat(this.random.pick([1, 2000])) : "";
    const method = body === "" ? this.random.pick(["GET", "POST"]) : "POST";
    const line = field === "" ? "" : `Authorization: ${field}\r\n`;
    peer.say(
      `${method} ${client.target} HTTP/1.1\r\nHost: ${host}\r\n${line}Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  }

  #fieldOf(client: Client): string {
    const { how, user } = client;
    const password = PASSWORDS[user] ?? "";
    if (how === "plain") return "";
    if (how === "basic") return `Basic ${btoa(`${user}:${password}`)}`;
    if (client.message === 1) {
      client.message = 2;
      return `NTLM ${negotiateMessage()}`;
    }
    if (client.message === 3) return "";
    const token = /WWW-Authenticate: NTLM (\S+)\r\n/.exec(client.peer.received)?.[1];
    const challenge = token === undefined ? null : readChallengeMessage(token);
    if (challenge === null) {
      client.message = 2;
      return `NTLM ${negotiateMessage()}`;
    }
    client.message = 3;
    return `NTLM ${authenticateMessage(digests, { user, domain: "", password }, challenge, 0)}`;
  }

  #judge(): void {
    for (const asked of this.guard.asked.splice(0)) {
      const asker = asked.target.split("/")[2] ?? "";
      const as = asker === "nobody" ? this.#usersOf(asked.target) : [asker];
      if (asked.user !== "") {
        assert.ok(as.includes(asked.user), `${asked.target} was answered as ${asked.user}`);
        if (asker === "nobody") this.asUs++;
        else this.asThemselves++;
      }
      const named = userOf(asked.field);
      assert.ok(named === "" || as.includes(named), `${asked.target} came with credentials of ${named}`);
    }
    for (const { target, field } of this.other.asked.splice(0)) {
      const asker = target.split("/")[2] ?? "";
      assert.ok(field === "" || userOf(field) === asker, `${target} came to the other origin with ${field}`);
    }
    for (const client of this.clients) this.#read(client);
  }

  #usersOf(target: string): readonly string[] {
    return [...this.#ours.get(target) ?? OURS];
  }

  #read(client: Client): void {
    const { peer, target, how } = client;
    if (target === "") return;
    const match = /^HTTP\/1\.1 (\d\d\d)[^]*?\r\n\r\n/.exec(peer.received);
    const length = /\r\nContent-Length: (\d+)\r\n/.exec(match?.[0] ?? "")?.[1];
    if (match === null || length === undefined) return;
    const body = peer.received.slice(match[0].length);
    if (body.length < Number(length)) return;
    client.target = "";
    this.answered++;
    if (match[1] === "401" && how === "ntlm" && !/NTLM \S/.test(match[0])) client.message = 1;
    if (match[1] !== "200") return;
    const [user, answered] = body.split(" ");
    assert.equal(answered, target, "an answer to another request");
    const as = client.user === "" ? this.#usersOf(target) : [client.user];
    assert.ok(as.includes(user ?? ""), `${target} got the answer of ${user}`);
  }
}

/** Who a value of Authorization speaks of; "" = nobody, or it does not say. */
function userOf(field: string): string {
  if (field.startsWith("Basic ")) return atob(field.slice(6)).split(":")[0] ?? "";
  const digest = /^Digest username="([^"]*)"/.exec(field)?.[1];
  if (digest !== undefined) return digest;
  if (!field.startsWith("NTLM ")) return "";
  const bytes = Uint8Array.from(atob(field.slice(5)), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  if (view.getUint32(8, true) !== 3) return "";
  const from = view.getUint32(40, true);
  return String.fromCharCode(...new Uint16Array(bytes.slice(from, from + view.getUint16(36, true)).buffer));
}

async function walk(seed: number): Promise<Walk> {
  const walk = new Walk(seed);
  try {
    await walk.run();
  } catch (error) {
    console.error(`seed ${seed}, ${walk.scheme}\n${walk.trace.join("\n")}`);
    throw error;
  }
  return walk;
}

for (const seeds of walkSeedGroups(SEEDS, SEEDS_A_TEST)) {
  test(`identities stay apart, seeds ${groupName(seeds)}`, async () => {
    let answered = 0;
    let asUs = 0;
    let asThemselves = 0;
    for (const seed of seeds) {
      const done = await walk(seed);
      answered += done.answered;
      asUs += done.asUs;
      asThemselves += done.asThemselves;
    }
    // Else the walks prove nothing.
    const enough = answered > 200 && asUs > 60 && asThemselves > 60;
    assert.ok(enough || seeds.length < SEEDS_A_TEST, `${answered} ${asUs} ${asThemselves}`);
  });
}
