/**
 * Users log in and go on, others have nothing to do with it; connections end on either side, endpoints are drained and
 * come back, everything is paused, at any moment. Whatever happens, no connection on which a client has begun to
 * log in gets a request of another client, no answer is in another user's name, no handshake goes on where it did not
 * begin, and in the end nothing is left. A failure prints the seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type SessionClient, SessionLab, type SessionPeer } from "../../support/session_lab.ts";
import { walkSeeds } from "../../support/seeds.ts";

const SEEDS = 80;
const STEPS = 300;
/** "" = never logs in. */
const USERS = ["alice", "bob", "carol", "", ""] as const;

/** A client that asks for one thing after the other, and reconnects when its connection has ended. */
class User {
  readonly lab: SessionLab;
  readonly name: string;
  /** Of the present connection. */
  id = "";
  client: SessionClient;
  /** Requests sent on it. */
  #sent = 0;
  answers = 0;
  static #ids = 0;

  constructor(lab: SessionLab, name: string) {
    this.lab = lab;
    this.name = name;
    this.client = this.#connect();
  }

  #connect(): SessionClient {
    this.id = `${this.name}#${++User.#ids}`;
    this.#sent = 0;
    return this.lab.client();
  }

  reconnect(): void {
    this.client = this.#connect();
  }

  /** Looks at what has come. */
  read(): void {
    const text = this.client.take();
    if (text === "") return;
    for (const [, who] of text.matchAll(/\r\n\r\n(\w+) at [ab]/g)) {
      assert.ok(
        who === "nobody" || (who === this.name && this.name !== ""),
        `${this.id} got ${who}'s answer`,
      );
      this.answers++;
    }
  }

  /** How many of its requests have no answer. */
  get #owed(): number {
    return this.#sent - this.client.received.split("HTTP/1.1 ").length + 1;
  }

  /** It is its turn in a handshake. */
  get #challenged(): boolean {
    const { received } = this.client;
    const last = received.slice(received.lastIndexOf("HTTP/1.1 "));
    return this.#owed === 0 && last.includes("NTLM riddle\r\n") && last.endsWith("\r\n\r\n");
  }

  act(pick: (below: number) => number): void {
    this.read();
    if (this.client.isClosed) {
      this.reconnect();
      return;
    }
    if (this.#owed > 0 && pick(8) > 0) return;
    if (pick(12) === 0) {
      if (pick(2) === 0) this.client.socket.abort();
      else this.client.socket.close();
      this.reconnect();
      return;
    }
    const path = ["/", "/", "/", "/login", "/login", "/login", "/close", "/silent"][pick(8)] ?? "/";
    let authorization = "";
    if (this.name !== "") {
      if (this.#challenged) authorization = `NTLM ${this.name}`;
      else authorization = ["", "", "", "NTLM hello", `Negotiate ${this.name}`][pick(5)] ?? "";
    }
    this.#sent++;
    const close = pick(15) === 0 ? "Connection: close\r\n" : "";
    this.client.send(path, authorization, `X-Client: ${this.id}\r\n${close}`);
  }
}

class Walk {
  readonly lab: SessionLab;
  readonly users: User[];
  readonly #owners = new Map<SessionPeer, string>();
  readonly #pick: (below: number) => number;

  private constructor(lab: SessionLab, pick: (below: number) => number) {
    this.lab = lab;
    this.#pick = pick;
    for (const origin of lab.origins) {
      const answer = origin.answer.bind(origin);
      origin.answer = (peer, head) => {
        const from = /\r\nX-Client: (\S+)/.exec(head)?.[1] ?? "";
        const owner = this.#owners.get(peer);
        assert.ok(owner === undefined || owner === from, `a request of ${from} on a connection of ${owner}`);
        if (/\r\nAuthorization: (?:NTLM|Negotiate)/.test(head)) this.#owners.set(peer, from);
        return answer(peer, head);
      };
    }
    this.users = USERS.map((name) => new User(lab, name));
  }

  static async begin(seed: number): Promise<Walk> {
    const state = { value: seed };
    const pick = (below: number) => {
      state.value = (Math.imul(state.value, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state.value / 2 ** 32) * below);
    };
    const yaml = [
      `to: ${["3001", "[3001, 3002]"][pick(2)]}`,
      `max_in_flight: ${[0, 0, 1, 2][pick(4)]}`,
      `pool: {size: ${[0, 1, 100][pick(3)]}, idle_timeout: ${["100ms", "5s"][pick(2)]}}`,
      `hold: ${["0", "2s"][pick(2)]}`,
      `policy: ${["round_robin", "least_conn"][pick(2)]}`,
      "queue: {timeout: 3s}",
      "first_byte_timeout: 1s",
    ].join("\n");
    return new Walk(
      await SessionLab.open(`${yaml}\n`, { seed, chunking: pick(2) === 0 ? "whole" : "random" }),
      pick,
    );
  }

  /** Does something at random. */
  async step(): Promise<void> {
    const { lab } = this;
    const pick = this.#pick;
    const upstream = lab.proxy.upstream();
    switch (pick(40)) {
      case 0: {
        const origin = lab.origins[pick(2)];
        const open = origin?.peers.filter(({ end }) => end === "") ?? [];
        const peer = open[pick(open.length)];
        if (pick(2) === 0) peer?.socket.abort();
        else peer?.socket.close();
        break;
      }
      case 1: {
        const at = pick(upstream.endpoints.length);
        if (upstream.endpoints[at]?.enabled === true) lab.drain(at, [0, 500, 5000][pick(3)] ?? 0);
        break;
      }
      case 2: {
        const endpoint = upstream.endpoints[pick(upstream.endpoints.length)];
        if (endpoint !== undefined) upstream.restore(endpoint);
        break;
      }
      case 3:
        if (upstream.paused || pick(3) > 0) upstream.resume();
        else upstream.pause();
        break;
      case 4: {
        const origin = lab.origins[pick(2)];
        if (origin === undefined) break;
        if (origin.listener === null) await origin.up();
        else if (pick(3) === 0) {
          void origin.listener.close();
          origin.listener = null;
        }
        break;
      }
      case 5:
      case 6:
      case 7:
      case 8:
        lab.advance(pick(300));
        break;
      default:
        this.users[pick(this.users.length)]?.act(pick);
        for (let steps = pick(80); steps > 0; steps--) lab.runtime.network.step();
    }
    this.check();
  }

  check(): void {
    const { lab } = this;
    for (const user of this.users) user.read();
    for (const { pinned, pinnedIdle, busy, slotLimit, name } of lab.proxy.upstream().endpoints) {
      assert.ok(pinnedIdle >= 0 && pinned >= pinnedIdle, `${name}: ${pinnedIdle} of ${pinned} idle`);
      assert.ok(pinned - pinnedIdle <= busy, `${name}: ${pinned - pinnedIdle} pins among ${busy} requests`);
      assert.ok(busy <= slotLimit, `${name}: ${busy} of ${slotLimit}`);
    }
    // A client that was closed between two steps of a handshake does not go on, so none is ever torn.
    assert.equal(lab.a.torn + lab.b.torn, 0);
  }

  async end(): Promise<void> {
    const { lab } = this;
    const upstream = lab.proxy.upstream();
    upstream.resume();
    for (const endpoint of upstream.endpoints) upstream.restore(endpoint);
    for (const origin of lab.origins) if (origin.listener === null) await origin.up();
    lab.advance(10_000);
    for (const user of this.users) {
      user.read();
      user.reconnect();
      assert.match(
        user.client.body("/", "", `X-Client: ${user.id}\r\n`),
        /^nobody at/,
        "everybody is served",
      );
      user.client.socket.abort();
    }
    const stopped = lab.proxy.stop();
    for (let turns = 0; turns < 20; turns++) {
      await Promise.resolve();
      lab.advance(500);
    }
    await stopped;
    assert.deepEqual(lab.pinned(), [0, 0]);
    assert.equal(upstream.inFlight, 0);
    assert.equal(upstream.waiting, 0);
    assert.deepEqual(lab.runtime.network.misuses, []);
  }
}

test("nobody is ever taken for somebody else", async () => {
  let answers = 0;
  const seeds = walkSeeds(SEEDS);
  for (const seed of seeds) {
    try {
      const walk = await Walk.begin(seed);
      for (let step = 0; step < STEPS; step++) await walk.step();
      answers += walk.users.reduce((sum, user) => sum + user.answers, 0);
      await walk.end();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  assert.ok(answers > 20 * seeds.length || seeds.length < SEEDS, `${answers} answers`);
});
