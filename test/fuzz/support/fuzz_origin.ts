/** An endpoint: answers requests, checks what it receives, goes away and comes back, and may misbehave. */

import { createHash } from "node:crypto";
import type { CloseReason, Socket, SocketEvents } from "../../../runtime/contract/contract.ts";
import type { MemoryListener } from "../../support/memory_runtime.ts";
import { bytesOf, contentOf, isContentOf, joined } from "./content.ts";
import { isId, type PlannedRequest } from "./requests.ts";
import { TunnelReader } from "./tunnel_reader.ts";
import type { Actor, Scene } from "./scene.ts";
import { fieldOf, Finding, type SeenMessage, StrictReader } from "./strict_reader.ts";

export interface OriginPlan {
  readonly name: string;
  readonly port: number;
  /** Most bytes written in one go. */
  readonly pieceBytes: number;
  /** One answer in so many is a misbehaviour; 0 = never. */
  readonly chaos: number;
  /** One act in so many idles, closes idle connections, or pauses. */
  readonly moods: number;
  /** Times it goes away, and for how long at most. */
  readonly absences: number;
  readonly longestAbsenceMs: number;
}

/** A CHALLENGE_MESSAGE of NTLM with a name of one letter in it. */
const NTLM_CHALLENGE = btoa(
  "NTLMSSP\0\x02\0\0\0\0\0\0\0\0\0\0\0\x01\x82\x08\0abcdefgh\0\0\0\0\0\0\0\0\x0a\0\x0a\0\x30\0\0\0" +
    "\x02\0\x02\0X\0\0\0\0\0",
);

export class FuzzOrigin implements Actor {
  readonly plan: OriginPlan;
  readonly scene: Scene;
  readonly connections = new Set<OriginConnection>();
  #listener: MemoryListener | null = null;
  #absencesLeft: number;
  #sleeping = false;
  #accepted = 0;

  constructor(scene: Scene, plan: OriginPlan) {
    this.scene = scene;
    this.plan = plan;
    this.#absencesLeft = plan.absences;
    if (plan.absences > 0 && scene.random.once(2)) this.#sleepThenListen();
    else this.listen();
  }

  get present(): boolean {
    return this.#listener !== null;
  }

  get ready(): boolean {
    return !this.#sleeping && this.#absencesLeft > 0 && this.#listener !== null;
  }

  act(): void {
    const { random } = this.scene;
    if (!random.once(40)) {
      this.#sleeping = true;
      this.scene.clock.setTimer(random.between(0, 30), () => this.#sleeping = false);
      return;
    }
    this.#absencesLeft--;
    this.sendClose();
    this.#sleepThenListen();
  }

  #sleepThenListen(): void {
    this.#sleeping = true;
    const { random, clock } = this.scene;
    const ms = random.between(0, random.once(2) ? 20 : this.plan.longestAbsenceMs);
    clock.setTimer(ms, () => {
      this.#sleeping = false;
      this.listen();
    });
  }

  /** Listens, now. */
  listen(): void {
    if (this.#listener !== null) return;
    this.scene.trace(this.plan.name, "listens");
    const address = { kind: "tcp", host: "127.0.0.1", port: this.plan.port } as const;
    void this.scene.runtime.listen({
      address,
      backlog: this.scene.random.pick([1, 3, 100]),
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1000,
    }, {
      accepted: (socket) => {
        const connection = new OriginConnection(this, socket, `${this.plan.name}.${++this.#accepted}`);
        this.connections.add(connection);
        return connection;
      },
      acceptFailed: () => {},
    });
    // The memory runtime has bound when the call returns; a case does not wait for promises.
    this.#listener = this.scene.network.listenerAt(address);
  }

  sendClose(): void {
    const { random, mood } = this.scene;
    const listener = this.#listener;
    if (listener === null) return;
    this.#listener = null;
    this.scene.trace(this.plan.name, "goes away");
    void listener.close();
    const how = random.next(3);
    for (const connection of this.connections) {
      if (how === 0) connection.dropIfIdle(mood === "calm");
      else if (how === 1 && mood === "wild") connection.abort();
    }
  }
}

type Act =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; sent: number }
  | { readonly kind: "sleep"; readonly ms: number }
  /** Until the request has arrived to its end. */
  | { readonly kind: "await" }
  /** The response has been sent. */
  | { readonly kind: "answered" }
  | { readonly kind: "finish" }
  | { readonly kind: "reset" }
  | { readonly kind: "stall" };

export class OriginConnection implements Actor, SocketEvents {
  readonly #origin: FuzzOrigin;
  readonly #scene: Scene;
  readonly #socket: Socket;
  readonly #name: string;
  readonly #reader: StrictReader;
  #acts: Act[] = [];
  #request: PlannedRequest | null = null;
  #requestDone = true;
  #answering = false;
  /** Value of WWW-Authenticate of the answer to this request; "" = it is let in. */
  #challenge = "";
  #blocked = false;
  #sleeping = false;
  #stalled = false;
  #over = false;
  #finished = false;
  #peerEnded = false;

  constructor(origin: FuzzOrigin, socket: Socket, name: string) {
    this.#origin = origin;
    this.#scene = origin.scene;
    this.#socket = socket;
    this.#name = name;
    this.#reader = new StrictReader("request", {
      head: (message) => this.#head(message),
      body: (message, bytes, from, to) => this.#body(message, bytes, from, to),
      done: (message) => this.#done(message),
      raw: () => {},
      asked: () => "",
    });
    if (origin.plan.moods > 0 && this.#scene.random.once(origin.plan.moods)) {
      if (this.#scene.random.once(2)) this.#push({ kind: "sleep", ms: this.#scene.random.between(0, 50) });
      if (this.#scene.mood === "wild") {
        this.#push(this.#scene.random.once(2) ? { kind: "reset" } : { kind: "finish" });
      }
    }
  }

  #trace(what: string): void {
    this.#scene.trace(this.#name, what);
  }

  #push(...acts: Act[]): void {
    this.#acts.push(...acts);
  }

  #say(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#push({ kind: "bytes", bytes, sent: 0 });
  }

  // Acting

  get ready(): boolean {
    if (this.#over || this.#sleeping || this.#stalled) return false;
    const act = this.#acts[0];
    if (act === undefined) return this.#peerEnded && !this.#finished;
    if (act.kind === "bytes") return !this.#blocked && !this.#finished;
    return act.kind !== "await" || this.#requestDone;
  }

  act(): void {
    const act = this.#acts[0];
    if (act === undefined) {
      this.#finish();
      return;
    }
    switch (act.kind) {
      case "bytes": {
        const { random, whole } = this.#scene;
        const left = act.bytes.length - act.sent;
        const count = whole ? left : Math.min(
          left,
          1 + random.next(this.#origin.plan.pieceBytes) + Math.floor(act.bytes.length / 300),
        );
        const taken = this.#socket.write(act.bytes, act.sent, act.sent + count);
        this.#blocked = taken < count;
        act.sent += taken;
        if (act.sent < act.bytes.length) return;
        break;
      }
      case "sleep":
        this.#sleeping = true;
        this.#scene.clock.setTimer(act.ms, () => this.#sleeping = false);
        break;
      case "await":
        break;
      case "answered":
        throw new Error("an answer without bytes");
      case "finish":
        this.#finish();
        // What it had still to say is not said.
        this.#acts = [act];
        break;
      case "reset":
        this.abort();
        return;
      case "stall":
        this.#trace("stalls for ever");
        this.#stalled = true;
        if (this.#scene.random.once(2)) this.#socket.pause();
        break;
      default:
        act satisfies never;
    }
    this.#acts.shift();
    // Sluice may send the next request as soon as the last byte is out.
    if (this.#acts[0]?.kind === "answered") {
      this.#answering = false;
      this.#acts.shift();
    }
  }

  #finish(): void {
    if (this.#finished) return;
    this.#trace("finishes");
    this.#finished = true;
    this.#socket.finish();
  }

  abort(): void {
    this.#trace("resets");
    this.#over = true;
    this.#origin.connections.delete(this);
    this.#socket.abort();
  }

  /** Between requests, as far as it knows. */
  get idle(): boolean {
    return this.#acts.length === 0 && this.#requestDone && this.#reader.between;
  }

  dropIfIdle(inOrder: boolean): void {
    if (!this.idle) return;
    if (inOrder) this.#finish();
    else this.abort();
  }

  // Socket events

  data(bytes: Uint8Array): void {
    this.#reader.feed(bytes);
  }

  drained(): void {
    this.#blocked = false;
  }

  ended(): void {
    this.#trace("sees the end");
    this.#peerEnded = true;
  }

  closed(reason: CloseReason): void {
    this.#trace(`is closed: ${reason.code}`);
    this.#over = true;
    this.#origin.connections.delete(this);
  }

  // Requests

  #head(message: SeenMessage): void {
    const { requests, hasWild, repeatableMethods, unanswered, tries } = this.#scene;
    const id = message.fields.find(([name]) => name.toLowerCase() === "x-id")?.[1] ?? "";
    this.#trace(`gets ${message.method} ${id} (${message.framing})`);
    if (this.#answering) throw new Finding(`${this.#name}: a request before the last response had ended`);
    if (!this.#requestDone) throw new Finding(`${this.#name}: a request within a request`);
    this.#answering = true;
    this.#requestDone = false;
    if (fieldOf(message, "Host") === undefined) throw new Finding("a request without Host");
    if (message.target === "/trap") throw new Finding("what was meant for a tunnel was taken for a request");
    if (fieldOf(message, "Proxy-Authorization") !== undefined) {
      throw new Finding(`${id} tells who asks the proxy`);
    }
    if (fieldOf(message, "Proxy-Connection") !== undefined) throw new Finding(`${id} has Proxy-Connection`);
    const request = isId(id) ? requests.get(id) ?? null : null;
    this.#challenge = this.#challengeTo(fieldOf(message, "Authorization") ?? "");
    if (request === null && !hasWild) throw new Finding(`a request nobody sent: ${id}`);
    this.#request = request;
    if (request !== null && request.sort !== "wild") {
      if (request.sort === "bad_head" || request.forbidden) {
        throw new Finding(`${id} is malformed, or comes after one that is, and was forwarded`);
      }
      if (fieldOf(message, "X-Hop") !== undefined) throw new Finding("a field of the hop was forwarded");
      if (request.barred) throw new Finding(`${id} was not allowed and was forwarded`);
      const host = fieldOf(message, "Host");
      if (request.authority !== "" && host !== request.authority) {
        throw new Finding(`${id} was for ${request.authority} and has Host: ${host}`);
      }
      if (message.method !== request.method || message.target !== request.target) {
        throw new Finding(
          `${id} was ${request.method} ${request.target}, not ${message.method} ${message.target}`,
        );
      }
      if (this.#challenge === "") request.starts++;
      const repeatable = unanswered || request.idempotencyKey || repeatableMethods.includes(request.method);
      if (!repeatable && request.starts > 1) throw new Finding(`${request.method} ${id} was sent twice`);
      if (tries > 0 && request.starts > tries) throw new Finding(`${id} was sent ${request.starts} times`);
    }
    this.#plan(message, request, id);
  }

  #body(message: SeenMessage, bytes: Uint8Array, from: number, to: number): void {
    const request = this.#request;
    if (request === null || request.sort === "wild") return;
    if (!isContentOf(`q${request.id}`, message.seenBytes, bytes, from, to)) {
      throw new Finding(`the content of ${request.id} is wrong after byte ${message.seenBytes}`);
    }
  }

  #done(message: SeenMessage): void {
    const request = this.#request;
    this.#requestDone = true;
    if (request === null || request.sort === "wild") return;
    this.#trace(`has ${request.id}`);
    if (this.#challenge === "") request.completes++;
    if (message.seenBytes !== request.bodyBytes) {
      throw new Finding(
        `${request.id}: ${message.seenBytes} bytes of content instead of ${request.bodyBytes}`,
      );
    }
    if (request.sort === "bad_body") throw new Finding(`${request.id} is malformed and looks complete`);
    if (!request.sent) throw new Finding(`${request.id} was not sent to its end and looks complete`);
  }

  // Answers

  /** Mostly what a server says, sometimes what no client can answer, and sometimes whatever it was given. */
  #challengeTo(given: string): string {
    const { random, challenges } = this.#scene;
    const [, token] = given.split(" ");
    if (challenges === "" || random.once(given === "" ? 4 : 2)) return "";
    if (random.once(12)) {
      return random.pick([
        "Digest realm=",
        'Basic realm="x',
        "NTLM !!",
        "Negotiate",
        'Digest realm="f", nonce="n"',
      ]);
    }
    if (challenges === "basic") return random.once(3) ? 'Basic realm="f"' : "";
    if (challenges === "digest") {
      if (given !== "" && !random.once(4)) return "";
      const stale = random.once(2) ? ", stale=true" : "";
      return `Digest realm="f", nonce="${random.next(4)}", qop="auth", algorithm=SHA-256${stale}`;
    }
    if (token?.startsWith("TlRMTVNTUAAB") === true && !random.once(6)) return `NTLM ${NTLM_CHALLENGE}`;
    return given === "" || random.once(6) ? "NTLM" : "";
  }

  #plan(message: SeenMessage, request: PlannedRequest | null, id: string): void {
    const { random, mood } = this.#scene;
    const { chaos, moods } = this.#origin.plan;
    const early = mood === "wild" && random.once(12);
    if (moods > 0 && random.once(moods)) this.#push({ kind: "sleep", ms: random.between(0, 40) });
    if (fieldOf(message, "Expect") !== undefined && !early) {
      this.#say(bytesOf("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    if (random.once(10)) {
      for (let i = random.between(1, 3); i > 0; i--) {
        this.#say(
          bytesOf(`HTTP/1.1 ${random.pick(["103 Early Hints", "102 Processing"])}\r\nLink: </${i}>\r\n\r\n`),
        );
      }
    }
    if (!early) this.#push({ kind: "await" });
    if (moods > 0 && random.once(moods)) this.#push({ kind: "sleep", ms: random.between(0, 40) });
    if (chaos > 0 && random.once(chaos)) this.#misbehave(message, id);
    else if (this.#challenge !== "") {
      this.#answer(message, id, random.once(8) ? random.pick([1, 2] as const) : 0);
    } else if (request !== null && request.key !== "" && fieldOf(message, "Upgrade") === "websocket") {
      if (random.once(4)) this.#answer(message, id, 0);
      else this.#switch(request);
    } else this.#answer(message, id, 0);
  }

  /** A correct response; then perhaps the end. @param cut 1 = by the end, 2 = by a reset */
  #answer(message: SeenMessage, id: string, cut: 0 | 1 | 2): void {
    const { random, mood, mostContent, whole, flavour } = this.#scene;
    const challenge = this.#challenge;
    const status = challenge !== ""
      ? 401
      : mood === "calm"
      ? random.pick([200, 200, 200, 201, 204])
      : random.pick([200, 200, 200, 200, 204, 304, 404, 500, 502, 503, 504]);
    const bodiless = status === 204 || status === 304 || message.method === "HEAD";
    const large = flavour === "flood" && random.once(2);
    const length = status === 204 ? 0 : large ? mostContent : random.size(mostContent);
    const old = random.once(12);
    let framing = random.pick(["length", "length", "chunked", "close"]);
    if (old && framing === "chunked") framing = "close";
    // The end of such a body is its end, wherever it comes.
    if (cut === 1 && framing === "close") framing = "length";
    const close = framing === "close" || (old && random.once(2)) || random.once(8);
    const lines = [`HTTP/1.${old ? 0 : 1} ${status} ${random.pick(["OK", "", "Some Phrase"])}`];
    lines.push(`X-Echo: ${id}`, `X-Len: ${length}`);
    if (challenge !== "") lines.push(`WWW-Authenticate: ${challenge}`);
    if (status !== 204 && framing === "length") lines.push(`Content-Length: ${length}`);
    else if (status !== 204 && framing === "chunked") lines.push("Transfer-Encoding: chunked");
    // A body that only the end delimits says as much as the option.
    if (close && (framing !== "close" || bodiless || random.once(2))) lines.push("Connection: close");
    else if (old && !close) lines.push("Connection: keep-alive");
    if (!close && random.once(8)) lines.push(`Keep-Alive: timeout=${random.between(0, 5)}`);
    if (random.once(10)) lines.push("Connection: X-Hop", "X-Hop: 1");
    const head = bytesOf(lines.join("\r\n") + "\r\n\r\n");
    const content = bodiless ? new Uint8Array(0) : contentOf(`r${id}`, 0, length);
    const body = bodiless || framing !== "chunked" ? content : this.#chunks(content);
    const bytes = joined([head, body]);
    if (cut > 0) {
      this.#say(bytes.subarray(0, random.next(bytes.length)));
      this.#push({ kind: cut === 1 ? "finish" : "reset" });
      return;
    }
    if (whole) this.#say(bytes);
    else for (const part of this.#parts(bytes)) this.#say(part);
    this.#push({ kind: "answered" });
    if (close) {
      if (framing !== "close" && random.once(3)) this.#push({ kind: "sleep", ms: random.between(0, 20) });
      this.#push({ kind: "finish" });
    } else if (flavour === "jumpy" && random.once(2)) {
      this.#push({ kind: "reset" });
    } else if (this.#origin.plan.moods > 0 && random.once(this.#origin.plan.moods * 2)) {
      // Closes the idle connection after a while, or at once.
      if (random.once(2)) this.#push({ kind: "sleep", ms: random.between(0, random.once(4) ? 3000 : 30) });
      this.#push({ kind: mood === "wild" && random.once(2) ? "reset" : "finish" });
    }
  }

  /** Pieces with pauses in between. */
  *#parts(bytes: Uint8Array): Generator<Uint8Array> {
    const { random, mood } = this.#scene;
    const pauses = random.once(4) ? random.between(1, 3) : 0;
    let at = 0;
    for (let i = 0; i < pauses; i++) {
      const to = at + random.next(bytes.length - at);
      yield bytes.subarray(at, to);
      at = to;
      this.#push({ kind: "sleep", ms: random.between(0, mood === "calm" ? 30 : 1200) });
    }
    yield bytes.subarray(at);
  }

  #chunks(content: Uint8Array): Uint8Array {
    const { random } = this.#scene;
    const pieces: Uint8Array[] = [];
    const longest = random.pick([3, 100, 5000, 100_000]);
    for (let at = 0; at < content.length;) {
      const to = pieces.length > 1500
        ? content.length
        : Math.min(content.length, at + 1 + random.next(longest));
      pieces.push(bytesOf(`${(to - at).toString(16)}\r\n`), content.subarray(at, to), bytesOf("\r\n"));
      at = to;
    }
    pieces.push(bytesOf(`0\r\n${random.once(5) ? "X-Trailer: 1\r\n" : ""}\r\n`));
    return joined(pieces);
  }

  #switch(request: PlannedRequest): void {
    const { random, mood, tunnelBytes } = this.#scene;
    const accept = createHash("sha1").update(`${request.key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest(
      "base64",
    );
    const head = bytesOf(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        `X-Echo: ${request.id}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    const content = contentOf(`u${request.id}`, 0, tunnelBytes);
    if (random.once(2)) this.#say(joined([head, content]));
    else {
      this.#say(head);
      if (mood === "wild") this.#oddTunnel();
      this.#say(content);
    }
    this.#push({ kind: "finish" });
    const tunnel = new TunnelReader(`t${request.id}`, tunnelBytes, "client");
    this.#reader.becomeRaw((bytes) => tunnel.push(bytes));
  }

  /** What a tunnel may meet with before the endpoint speaks. */
  #oddTunnel(): void {
    const { random, clock } = this.#scene;
    switch (random.next(6)) {
      case 0:
        this.#push({ kind: "sleep", ms: random.between(1, 3000) });
        break;
      case 1:
        this.#push({ kind: "stall" });
        break;
      case 2:
        this.#push({ kind: "finish" });
        break;
      case 3:
        this.#push({ kind: "reset" });
        break;
      case 4:
        this.#socket.pause();
        if (random.once(2)) clock.setTimer(random.between(1, 3000), () => this.#socket.resume());
        break;
      default:
    }
  }

  #misbehave(message: SeenMessage, id: string): void {
    const { random, whole, flavour } = this.#scene;
    const kind = flavour === "flood" ? 12 : flavour === "extra" ? 10 : random.next(16);
    this.#trace(`misbehaves: ${kind}`);
    const garbage = random.pick([
      "\x00\x01\x02",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "hello\r\n\r\n",
      "\r\n\r\n\r\n\r\nx\r\n",
    ]);
    switch (kind) {
      case 0:
      case 1:
        this.#answer(message, id, 1);
        break;
      case 2:
      case 3:
        this.#answer(message, id, 2);
        break;
      case 4:
        this.#push({ kind: "reset" });
        break;
      case 5:
        this.#push({ kind: "finish" });
        break;
      case 6:
        this.#push({ kind: "stall" });
        break;
      case 7:
        this.#push({ kind: "sleep", ms: random.between(1, 5000) });
        this.#answer(message, id, 0);
        break;
      case 8:
        this.#say(bytesOf(garbage));
        break;
      case 9: {
        // Framing that two readers could see differently, or a head that is none.
        const bad = random.pick([
          "Content-Length: 3\r\nTransfer-Encoding: chunked",
          "Content-Length: 3\r\nContent-Length: 4",
          "Content-Length: +3",
          "Transfer-Encoding: gzip, chunked",
          "Bad Name: 1",
          "X: a\x00b",
          "Content-Length: 3\r\n folded",
          "no colon",
        ]);
        this.#say(bytesOf(`HTTP/1.1 200 OK\r\nX-Bad: 1\r\n${bad}\r\n\r\nabc`));
        break;
      }
      case 10: {
        // More than a response: where it comes in one piece a whole response, else what cannot be one.
        const extra = whole
          ? "HTTP/1.1 200 OK\r\nX-Echo: poison\r\nX-Len: 0\r\nContent-Length: 0\r\n\r\n"
          : garbage;
        const length = random.next(50);
        const head =
          `HTTP/1.1 200 OK\r\nX-Echo: ${id}\r\nX-Len: ${length}\r\nContent-Length: ${length}\r\n\r\n`;
        const content = message.method === "HEAD" ? new Uint8Array(0) : contentOf(`r${id}`, 0, length);
        const answer = joined([bytesOf(head), content]);
        this.#say(whole ? joined([answer, bytesOf(extra)]) : answer);
        this.#push({ kind: "answered" });
        if (!whole) this.#say(bytesOf(extra));
        break;
      }
      case 11:
        this.#say(bytesOf(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
            `X-Bad: 1\r\n${
              random.once(2) ? "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n" : ""
            }\r\n`,
        ));
        break;
      case 12:
        for (let i = random.between(1, 80), hint = "h".repeat(random.next(8000)); i > 0; i--) {
          this.#say(bytesOf(`HTTP/1.1 103 Early Hints\r\nX-Hint: ${hint}\r\n\r\n`));
        }
        this.#answer(message, id, 0);
        break;
      case 13:
        this.#say(bytesOf(`HTTP/1.1 200 OK\r\nX-Bad: 1\r\nX-Long: ${"l".repeat(40_000)}\r\n\r\n`));
        break;
      case 14:
        // Takes nothing for a while, or for ever.
        this.#socket.pause();
        if (random.once(2)) {
          this.#scene.clock.setTimer(random.between(1, 3000), () => this.#socket.resume());
        }
        this.#answer(message, id, 0);
        break;
      default: {
        // Chunks that end in the middle, or are none.
        const rest = random.pick([
          "5\r\n",
          "zz\r\n",
          "XX",
          "0\r\nbad trailer\r\n\r\n",
          "fffffffffffffffff\r\n",
        ]);
        const head = `HTTP/1.1 200 OK\r\nX-Echo: ${id}\r\nX-Len: 99\r\nTransfer-Encoding: chunked\r\n\r\n`;
        this.#say(bytesOf(head));
        // To HEAD that is all of the answer; what follows is more than it.
        if (message.method === "HEAD") this.#push({ kind: "answered" });
        this.#say(contentChunk(id));
        this.#say(bytesOf(rest));
        if (random.once(2)) this.#push({ kind: "finish" });
      }
    }
  }
}

/** One chunk with the first bytes of the response to `id`. */
function contentChunk(id: string): Uint8Array {
  return joined([bytesOf("7\r\n"), contentOf(`r${id}`, 0, 7), bytesOf("\r\n")]);
}
