/**
 * Clients and endpoints do anything they can in any order, over every wire: send, answer, switch, fail, leave, stop reading,
 * while endpoints come and go and requests are held. Whatever happens, each exchange tells its end once, every stream ends
 * once and is not used after that, no body is mixed up with another, and in the end nothing is left. A failure prints the seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BodyLength, NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import { ExchangeLab, HOST } from "../../support/streams/exchange_lab.ts";
import { type Pair, valueOf } from "../../support/streams/pairs.ts";
import type { ClientConnection, ClientEnd, EndpointEnd, Wire } from "../../support/streams/wire.ts";
import { WIRES } from "../../support/streams/wires.ts";
import { walkSeeds } from "../../support/seeds.ts";

const SEEDS = 40;
const STEPS = 120;
/** As long as a body may become. */
const MOST_BYTES = 100_000;

type Pick = (below: number) => number;

/** An end of a message that is sent piece by piece; every byte tells whose it is. */
class Message {
  readonly #mark: string;
  readonly length: BodyLength;
  sent = "";
  ended = false;

  constructor(mark: string, length: BodyLength) {
    this.#mark = mark;
    this.length = length;
    this.ended = length === NO_BODY || length === 0;
  }

  /** The next piece; "" when there is none. */
  next(pick: Pick): string {
    const most = this.length >= 0 ? this.length : MOST_BYTES;
    const size = Math.min(most - this.sent.length, [1, 10, 1000, 30_000][pick(4)] ?? 0);
    const piece = this.#mark.repeat(Math.ceil(size / this.#mark.length)).slice(0, size);
    this.sent += piece;
    return piece;
  }

  get complete(): boolean {
    return this.length < 0 || this.sent.length === this.length;
  }
}

interface WalkingClient {
  readonly target: string;
  readonly end: ClientEnd;
  readonly connection: ClientConnection;
  readonly request: Message;
}

/** An attempt, as its endpoint goes on with it. */
interface Answering {
  readonly end: EndpointEnd;
  answer: Message | null;
  switched: boolean;
}

class Walk {
  readonly lab: ExchangeLab;
  readonly clients: WalkingClient[] = [];
  readonly answering: Answering[] = [];
  readonly connections: ClientConnection[] = [];
  readonly #pick: Pick;
  /** Connections to endpoints on which a client has authenticated. */
  readonly #sessions = new Map<number, ClientConnection>();
  /** On a connection that several clients share no request may do that. */
  readonly #logins: boolean;

  constructor(wire: Wire, seed: number) {
    this.#logins = seed % 2 === 0 && !wire.sharesConnections;
    const state = { value: seed };
    const pick: Pick = (below) => {
      state.value = (Math.imul(state.value, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state.value / 2 ** 32) * below);
    };
    this.#pick = pick;
    this.lab = new ExchangeLab(wire, {
      seed,
      endpoints: 1 + pick(3),
      maxInFlight: [0, 0, 1, 3][pick(4)] ?? 0,
      poolSize: [0, 1, 16][pick(3)] ?? 0,
      servesHalfClosed: pick(2) === 0,
      maxBodyBytes: [0, 50_000][pick(2)] ?? 0,
      exchange: { requestBufferBytes: [0, 100, 64 * 1024][pick(3)] ?? 0 },
      upstream: {
        holdMs: [0, 500, 30_000][pick(3)] ?? 0,
        queueSize: [0, 2, 100][pick(3)] ?? 0,
        queueBytes: [0, 1000, 1 << 20][pick(3)] ?? 0,
        queueTimeoutMs: [0, 300, 30_000][pick(3)] ?? 0,
      },
      retry: {
        on: [["reset", "timeout"], [], ["reset", "timeout", 502, 503]][pick(3)] as ("reset" | 502)[],
        unanswered: pick(2) === 0,
        unansweredTries: pick(4),
        tries: pick(4),
      },
    });
  }

  #one<T>(list: readonly T[]): T | undefined {
    return list[this.#pick(list.length)];
  }

  step(): void {
    const { lab } = this;
    const pick = this.#pick;
    for (let known = this.answering.length; known < lab.wire.requests.length; known++) {
      const end = lab.got(known);
      this.answering.push({ end, answer: null, switched: false });
      this.#noteSession(end);
    }
    switch (pick(12)) {
      case 0:
      case 1:
        this.#ask();
        break;
      case 2:
      case 3:
      case 4:
        this.#client();
        break;
      case 5:
      case 6:
      case 7:
      case 8:
        this.#endpoint();
        break;
      case 9:
        lab.advance([1, 30, 200, 3000][pick(4)] ?? 0);
        break;
      case 10:
        this.#surroundings();
        break;
      default: {
        const connection = this.#one(this.connections);
        const what = pick(12);
        if (what === 0) connection?.reset();
        else if (what === 1) connection?.finish();
        else if (what === 2) connection?.peer.drain(lab.wire.turn.now, 100);
        else if (what === 3) lab.wire.take(() => connection?.peer.abort());
        else if (what === 4 && connection !== undefined) lab.withdraw(connection);
      }
    }
    this.check();
  }

  /** On whose connection a request came: one on which a client has authenticated gets no other client's. */
  #noteSession({ connection, request }: EndpointEnd): void {
    const client = this.clients.find(({ target }) => target === request.target)?.connection;
    const owner = this.#sessions.get(connection);
    assert.ok(
      owner === undefined || owner === client,
      `${request.target} came on another client's connection`,
    );
    if (valueOf(request.fields, "authorization") === undefined || client === undefined) return;
    this.#sessions.set(connection, client);
  }

  #surroundings(): void {
    const { lab } = this;
    const { upstream } = lab;
    const endpoint = this.#one(upstream.endpoints);
    switch (this.#pick(8)) {
      case 0:
        upstream.pause();
        break;
      case 1:
      case 2:
        upstream.resume();
        break;
      case 3:
        if (endpoint !== undefined) upstream.withdraw(endpoint);
        break;
      case 4:
        if (endpoint !== undefined) upstream.restore(endpoint);
        break;
      case 5:
        lab.wire.dials("connection_refused");
        break;
      default:
        lab.wire.dials(null);
    }
    lab.wire.run();
  }

  #ask(): void {
    const pick = this.#pick;
    const open = this.connections.filter(({ state }) => state === "open");
    let connection = pick(3) === 0 ? undefined : this.#one(open);
    if (connection === undefined) {
      connection = this.lab.connect();
      this.connections.push(connection);
    }
    const target = `/${this.clients.length}`;
    const method = ["GET", "GET", "PUT", "POST", "HEAD"][pick(5)] ?? "GET";
    const length = method === "GET" || method === "HEAD"
      ? NO_BODY
      : [0, 5, 5000, 60_000, UNKNOWN_LENGTH, UNKNOWN_LENGTH][pick(6)] ?? 0;
    const fields: Pair[] = [HOST];
    if (pick(6) === 0 && length === NO_BODY) fields.push(["Upgrade", "chat"]);
    if (this.#logins && pick(5) === 0) fields.push(["Authorization", "Negotiate YII"]);
    if (pick(6) === 0) fields.push(["TE", "trailers"]);
    if (pick(6) === 0 && length !== NO_BODY && length !== 0) fields.push(["Expect", "100-continue"]);
    const end = connection.request(method, target, fields, length);
    this.clients.push({ target, end, connection, request: new Message(`${target} `, length) });
  }

  #client(): void {
    const pick = this.#pick;
    const client = this.#one(this.clients.filter(({ end }) => end.answer.end === ""));
    if (client === undefined) return;
    const { end, request } = client;
    if (end.answer.status === 101) {
      this.#raw(end.raw, "c");
      return;
    }
    switch (pick(16)) {
      case 0:
        end.reset();
        break;
      case 1:
        if (!request.ended) end.garble();
        break;
      case 2:
        end.timeOut(pick(2) === 0 ? "read" : "write", pick(2) === 0);
        break;
      case 3:
        end.stopReading();
        break;
      case 4:
      case 5:
        end.readOn();
        break;
      default: {
        if (request.ended) return;
        const piece = request.next(pick);
        if (piece !== "") end.body(piece);
        if (!request.complete || (request.length < 0 && pick(3) > 0)) return;
        request.ended = true;
        end.end(...(pick(3) === 0 ? [[["X-Sum", "1"]] as const] : []));
      }
    }
  }

  #raw(raw: ClientEnd["raw"], mark: string): void {
    switch (this.#pick(8)) {
      case 0:
        raw.finish();
        break;
      case 1:
        raw.reset();
        break;
      case 2:
        raw.stopReading();
        break;
      case 3:
        raw.readOn();
        break;
      default:
        raw.say(mark.repeat(1 + this.#pick(5000)));
    }
  }

  #endpoint(): void {
    const pick = this.#pick;
    const over = ({ end, answer }: Answering) => end.request.end === "cut" || answer?.ended === true;
    const answering = this.#one(this.answering.filter((each) => !over(each)));
    if (answering === undefined) return;
    const { end, answer } = answering;
    if (answering.switched) {
      this.#raw(end.raw, "e");
      return;
    }
    switch (pick(18)) {
      case 0:
        end.reset();
        break;
      case 1:
        end.garble();
        break;
      case 2:
        end.timeOut(answer === null ? "head" : pick(2) === 0 ? "read" : "write");
        break;
      case 3:
        end.stopReading();
        break;
      case 4:
        end.readOn();
        break;
      case 5:
        if (answer === null) end.interim(pick(2) === 0 ? 100 : 103);
        break;
      case 6:
        if (answer !== null || end.request.upgrade === "") break;
        answering.switched = pick(4) > 0;
        end.switchTo(answering.switched ? "chat" : "");
        break;
      default:
        this.#answer(answering);
    }
  }

  #answer(answering: Answering): void {
    const pick = this.#pick;
    const { end, answer } = answering;
    if (answer === null) {
      const status = [200, 200, 204, 503, 502, 401][pick(6)] ?? 200;
      const bodiless = end.request.method === "HEAD" || status === 204;
      const length = bodiless ? NO_BODY : [0, 7, 70_000, UNKNOWN_LENGTH][pick(4)] ?? 0;
      const begun = new Message(`${end.request.target} by ${this.answering.indexOf(answering)};`, length);
      begun.ended = false;
      answering.answer = begun;
      const fields: Pair[] = [["X-By", String(this.answering.indexOf(answering))]];
      if (this.#logins && status === 401) fields.push(["WWW-Authenticate", "Negotiate riddle"]);
      end.head(status, fields, length);
      return;
    }
    if (answer.length !== NO_BODY) {
      const piece = answer.next(pick);
      if (piece !== "") end.body(piece);
      if (!answer.complete || (answer.length < 0 && pick(3) > 0)) return;
    }
    answer.ended = true;
    end.end(...(pick(3) === 0 && answer.length < 0 ? [[["X-Sum", "1"]] as const] : []));
  }

  check(): void {
    const { lab } = this;
    const { upstream } = lab;
    assert.deepEqual(lab.wire.violations, []);
    assert.equal(new Set(lab.ended.map(({ target }) => target)).size, lab.ended.length, "each ends once");
    const open = lab.exchanges.filter(({ phase }) => phase !== "done").length;
    assert.equal(lab.ended.length, lab.exchanges.length - open);
    assert.ok(upstream.inFlight + upstream.waiting <= open, "only what is open has a slot or a place");
    for (const { busy, slotLimit, pinned, pinnedIdle, name } of upstream.endpoints) {
      assert.ok(busy <= slotLimit, name);
      assert.ok(pinnedIdle >= 0 && pinnedIdle <= pinned, `${name}: ${pinnedIdle} of ${pinned} pins are idle`);
    }
    assert.ok(upstream.bufferedBytes >= 0 && upstream.copiedBytes >= 0);
    if (open === 0) assert.equal(upstream.bufferedBytes + upstream.copiedBytes, 0);
    for (const { end, target, request } of this.clients) {
      const by = valueOf(end.answer.fields, "x-by");
      if (end.answer.status === 101 || by === undefined) continue;
      const { answer, end: from } = this.answering[Number(by)] as Answering;
      assert.equal(from.request.target, target);
      assert.ok(answer?.sent.startsWith(end.answer.body), "the body is its endpoint's");
      if (end.answer.end === "complete") assert.equal(end.answer.body, answer?.sent);
      assert.ok(request.sent.startsWith(from.request.body));
    }
    for (const { end: { request } } of this.answering) {
      const sent = this.clients.find(({ target }) => target === request.target)?.request.sent ?? "";
      assert.ok(sent.startsWith(request.body), "the request's body is its client's");
      if (request.end === "complete") assert.equal(request.body, sent);
    }
  }

  /** @returns the number of requests */
  end(): number {
    const { lab } = this;
    lab.wire.dials(null);
    for (const endpoint of lab.upstream.endpoints) lab.upstream.restore(endpoint);
    lab.upstream.resume();
    lab.wire.run();
    for (const { end } of this.clients) {
      if (end.answer.status === 101) end.raw.reset();
      else if (end.answer.end === "") end.reset();
    }
    this.check();
    lab.assertQuietAtLast();
    return lab.ended.length;
  }
}

for (const wire of WIRES) {
  test(`whatever happens, the books balance, ${wire.name}`, () => {
    let requests = 0;
    const reasons = new Set<string>();
    const seeds = walkSeeds(SEEDS);
    for (const seed of seeds) {
      try {
        const walk = new Walk(wire, seed);
        for (let step = 0; step < STEPS; step++) walk.step();
        requests += walk.end();
        for (const { reason } of walk.lab.ended) reasons.add(reason);
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
    }
    assert.ok(requests > 10 * seeds.length, `${requests} requests`);
    assert.ok(
      reasons.size > 15 || seeds.length < SEEDS,
      `${reasons.size} reasons: ${[...reasons].join(" ")}`,
    );
  });
}
