/** A client with one connection: sends its planned requests, checks the responses, and may misbehave. */

import type { CloseReason, Socket, SocketEvents } from "../../../runtime/contract/contract.ts";
import { contentOf, isContentOf } from "./content.ts";
import type { PlannedRequest } from "./requests.ts";
import { TunnelReader } from "./tunnel_reader.ts";
import type { Actor, Scene } from "./scene.ts";
import { fieldOf, Finding, type SeenMessage, StrictReader } from "./strict_reader.ts";

export interface ClientPlan {
  readonly name: string;
  readonly port: number;
  readonly requests: readonly PlannedRequest[];
  /** Requests under way at a time. */
  readonly depth: number;
  /** Bytes written in one go, at most. */
  readonly pieceBytes: number;
  readonly startMs: number;
  /** How long it does not read after it has connected. */
  readonly deafMs: number;
  /** One act in so many is a misbehaviour; 0 = never. */
  readonly chaos: number;
}

/** How long a client with Expect waits for 100 before it sends the body all the same. */
const CONTINUE_MS = 1000;

export class FuzzClient implements Actor, SocketEvents {
  readonly plan: ClientPlan;
  readonly #scene: Scene;
  readonly #reader: StrictReader;
  #socket: Socket | null = null;
  #state: "new" | "dialing" | "open" | "closed" = "new";
  /** Index of the request being sent, and how far. */
  #at = 0;
  #offset = 0;
  #blocked = false;
  #finished = false;
  #sleeping = false;
  #paused = false;
  /** It will not do anything any more, nor read. */
  stalled = false;
  /** Final responses that have been complete. */
  answered = 0;
  #continued = false;
  #peerEnded = false;
  #tunnelSent = 0;
  #tunnel: TunnelReader | null = null;
  /** What is to be sent through the tunnel. */
  #sends: Uint8Array | null = null;
  /** Bytes that came through a tunnel that was asked for by CONNECT. */
  #heard = 0;
  #inTunnel = false;
  /** Statuses of the complete responses. */
  readonly statuses: number[] = [];

  constructor(scene: Scene, plan: ClientPlan) {
    this.plan = plan;
    this.#scene = scene;
    this.#reader = new StrictReader("response", {
      head: (message) => this.#head(message),
      body: (message, bytes, from, to) => this.#body(message, bytes, from, to),
      done: (message) => this.#done(message),
      raw: (bytes) => this.#raw(bytes),
      asked: () => this.#asked(),
    });
    this.#sleep(plan.startMs);
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  #trace(what: string): void {
    this.#scene.trace(this.plan.name, what);
  }

  #sleep(ms: number): void {
    this.#sleeping = true;
    this.#scene.clock.setTimer(ms, () => this.#sleeping = false);
  }

  // Acting

  get ready(): boolean {
    if (this.#sleeping || this.stalled) return false;
    if (this.#state === "new") return true;
    if (this.#state !== "open") return false;
    if (this.#mayWrite || this.#mayEnd) return true;
    return this.#scene.mood === "wild" && this.plan.chaos > 0 && !this.#paused && !this.#finished;
  }

  get #mayWrite(): boolean {
    if (this.#blocked || this.#finished) return false;
    if (this.#inTunnel || this.#sendsEarly) return this.#tunnelSent < this.#through.length;
    const request = this.plan.requests[this.#at];
    if (request === undefined) return false;
    if (this.#offset === 0) return this.#at < this.answered + this.plan.depth;
    const waits = request.expects && !this.#continued && this.#offset >= request.headBytes &&
      this.answered <= this.#at;
    return !waits;
  }

  get #mayEnd(): boolean {
    if (this.#finished) return false;
    const connects = this.plan.requests[this.answered - 1]?.method === "CONNECT";
    // A destination that has ended may still want to hear us.
    if (this.#peerEnded && !(this.#inTunnel && connects)) return true;
    if (this.#inTunnel) return this.#tunnelSent >= this.#through.length;
    return this.answered === this.plan.requests.length;
  }

  /** CONNECT has been sent, and is not answered yet. */
  get #sendsEarly(): boolean {
    const { requests } = this.plan;
    const last = requests[requests.length - 1];
    return last?.tunnel !== null && last?.early === true && this.#at === requests.length &&
      this.answered < requests.length;
  }

  get #through(): Uint8Array {
    const request = this.plan.requests[this.plan.requests.length - 1] as PlannedRequest;
    this.#sends ??= request.tunnel ?? contentOf(`t${request.id}`, 0, this.#scene.tunnelBytes);
    return this.#sends;
  }

  act(): void {
    const { random } = this.#scene;
    if (this.#state === "new") {
      this.#dial();
      return;
    }
    const { chaos } = this.plan;
    if (chaos > 0 && random.once(chaos)) this.#misbehave();
    else if (this.#mayEnd) this.#end();
    else if (this.#mayWrite) this.#write();
    else if (chaos > 0) this.#sleep(random.between(1, 2000));
  }

  #dial(): void {
    this.#state = "dialing";
    this.#trace("dials");
    this.#scene.runtime.dial({
      address: { kind: "tcp", host: "127.0.0.1", port: this.plan.port },
      timeoutMs: 5000,
      tls: null,
    }, {
      opened: (socket) => {
        this.#socket = socket;
        this.#state = "open";
        if (this.plan.deafMs > 0) this.#stopReading(this.plan.deafMs);
        return this;
      },
      failed: (error) => {
        this.#state = "closed";
        if (this.#scene.stopping) return;
        throw new Finding(`${this.plan.name} cannot connect: ${error.code}`);
      },
    });
  }

  #write(): void {
    const { random } = this.#scene;
    const socket = this.#socket as Socket;
    const piece = 1 + random.next(this.plan.pieceBytes);
    if (this.#inTunnel || this.#sendsEarly) {
      const bytes = this.#through;
      const to = Math.min(bytes.length, this.#tunnelSent + piece);
      const taken = socket.write(bytes, this.#tunnelSent, to);
      this.#blocked = taken < to - this.#tunnelSent;
      this.#tunnelSent += taken;
      return;
    }
    const request = this.plan.requests[this.#at] as PlannedRequest;
    if (this.#offset === 0) {
      this.#trace(`sends ${request.sort} ${request.method} ${request.id}, ${request.bytes.length} bytes`);
      this.#continued = false;
    }
    // However small the pieces are, a large request is not sent in thousands of them.
    const most = piece + Math.floor(request.bytes.length / 300);
    let to = Math.min(request.bytes.length, this.#offset + most);
    if (request.expects && this.#offset < request.headBytes) to = Math.min(to, request.headBytes);
    const taken = socket.write(request.bytes, this.#offset, to);
    this.#blocked = taken < to - this.#offset;
    this.#offset += taken;
    if (request.expects && this.#offset === request.headBytes && !this.#continued) {
      const at = this.#at;
      this.#scene.clock.setTimer(CONTINUE_MS, () => {
        if (this.#at === at) this.#continued = true;
      });
    }
    if (this.#offset === request.bytes.length) {
      request.sent = true;
      this.#at++;
      this.#offset = 0;
    }
  }

  #end(): void {
    this.#finished = true;
    const { random } = this.#scene;
    const socket = this.#socket as Socket;
    if (!this.#inTunnel && this.#peerEnded && random.once(2)) {
      this.#trace("closes");
      socket.close();
    } else {
      this.#trace("finishes");
      socket.finish();
    }
  }

  #stopReading(ms: number): void {
    const socket = this.#socket as Socket;
    this.#trace(`stops reading for ${ms} ms`);
    this.#paused = true;
    socket.pause();
    this.#scene.clock.setTimer(ms, () => {
      if (this.stalled) return;
      this.#paused = false;
      socket.resume();
    });
  }

  #misbehave(): void {
    const { random } = this.#scene;
    const socket = this.#socket as Socket;
    // Reading slowly is no misbehaviour.
    switch (this.#scene.mood === "calm" ? 3 : random.next(9)) {
      case 0:
        this.#trace("resets");
        socket.abort();
        this.#finished = true;
        break;
      case 1:
        this.#trace("finishes early");
        this.#finished = true;
        socket.finish();
        break;
      case 2:
        this.#trace("stalls for ever");
        this.stalled = true;
        if (random.once(2)) socket.pause();
        break;
      case 3:
      case 4:
      case 5: {
        const longest = this.#scene.mood === "calm" ? 10_000 : 20_000;
        this.#stopReading(random.between(1, random.pick([50, 1000, longest])));
        break;
      }
      default:
        this.#sleep(random.between(1, random.pick([20, 500, 10_000])));
    }
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
    const whole = this.#reader.end();
    const { mood } = this.#scene;
    if (mood === "calm" && (!whole || this.answered < this.plan.requests.length)) {
      throw new Finding(
        `${this.plan.name}: the end after ${this.answered} of ${this.plan.requests.length} responses`,
      );
    }
  }

  closed(reason: CloseReason): void {
    this.#trace(`is closed: ${reason.code}`);
    this.#state = "closed";
    if (this.#scene.mood !== "calm") return;
    if (this.answered < this.plan.requests.length) {
      throw new Finding(
        `${this.plan.name}: ${reason.code} after ${this.answered} of ${this.plan.requests.length} responses`,
      );
    }
    const tunnelSeen = this.#tunnel?.seenBytes ?? this.#heard;
    if (this.#inTunnel && this.#tunnel?.closing !== true && tunnelSeen < this.#scene.tunnelBytes) {
      throw new Finding(`${this.plan.name}: ${reason.code} after ${tunnelSeen} bytes of the tunnel`);
    }
  }

  // Responses

  #asked(): string | null | undefined {
    const request = this.plan.requests[this.answered];
    if (request === undefined) return null;
    if (request.sort === "wild") return undefined;
    if (this.answered > this.#at || (this.answered === this.#at && this.#offset === 0)) {
      // Sluice may speak first when it refuses or has waited too long.
      return "";
    }
    return request.method;
  }

  #head(message: SeenMessage): void {
    const request = this.plan.requests[this.answered];
    const { status } = message;
    this.#trace(`sees ${status} (${message.framing})`);
    if (status >= 100 && status < 200 && status !== 101) {
      if (request === undefined || request.minor === 0) throw new Finding("an interim response to HTTP/1.0");
      if (status === 100) this.#continued = true;
      return;
    }
    if (request?.sort === "bad_head" && !(status >= 400 && status < 600)) {
      throw new Finding(`${request.id} is malformed and got ${status}`);
    }
    const tunnels = request?.method === "CONNECT" && status >= 200 && status <= 299;
    if (tunnels && (request.barred || request.forbidden)) throw new Finding(`${request.id} got a tunnel`);
    if (request?.barred === true && request.sort === "valid" && status < 400) {
      throw new Finding(`${request.id} is not allowed and got ${status}`);
    }
    const echo = fieldOf(message, "X-Echo");
    if (tunnels) {
      if (message.fields.length !== 1) throw new Finding("more than Via with a tunnel");
    } else if (echo === undefined) {
      if (fieldOf(message, "Proxy-Status") === undefined) throw new Finding(`whose is this ${status}?`);
    } else if (request === undefined || echo !== request.id) {
      throw new Finding(`${request?.id ?? "nothing"} got the response of ${echo}`);
    }
    if (this.#scene.mood === "calm" && (status < 200 || status > 299) && status !== 101) {
      throw new Finding(
        `${request?.id ?? ""} got ${status} (${fieldOf(message, "Proxy-Status") ?? "from the origin"})`,
      );
    }
    const framed = message.framing === "close" && request?.minor === 1 && status !== 101;
    if (framed) throw new Finding("a response to HTTP/1.1 that only the end delimits");
  }

  #body(message: SeenMessage, bytes: Uint8Array, from: number, to: number): void {
    const id = fieldOf(message, "X-Echo");
    if (id === undefined) return;
    if (!isContentOf(`r${id}`, message.seenBytes, bytes, from, to)) {
      throw new Finding(`the content of the response to ${id} is wrong after byte ${message.seenBytes}`);
    }
  }

  #done(message: SeenMessage): void {
    const length = fieldOf(message, "X-Len");
    const id = fieldOf(message, "X-Echo");
    if (length !== undefined && message.framing !== "none" && Number(length) !== message.seenBytes) {
      throw new Finding(`${id}: complete with ${message.seenBytes} bytes instead of ${length}`);
    }
    this.#trace(`has the response to ${id}`);
    this.answered++;
    this.statuses.push(message.status);
    const request = this.plan.requests[this.answered - 1];
    if (request?.method === "CONNECT") this.#inTunnel = message.status >= 200 && message.status <= 299;
    if (message.status === 101) {
      this.#inTunnel = true;
      if (request?.key === "") throw new Finding("a 101 nobody asked for");
    }
  }

  #raw(bytes: Uint8Array): void {
    const request = this.plan.requests[this.answered - 1] as PlannedRequest;
    if (request.method === "CONNECT") {
      this.#hear(bytes);
      return;
    }
    this.#tunnel ??= new TunnelReader(`u${request.id}`, this.#scene.tunnelBytes, "server");
    this.#tunnel.push(bytes);
  }

  #hear(bytes: Uint8Array): void {
    const { destinationSays } = this.#scene;
    for (const byte of bytes) {
      if (this.#heard >= destinationSays.length || byte !== destinationSays[this.#heard]) {
        throw new Finding(`${this.plan.name}: wrong byte ${this.#heard} of the tunnel`);
      }
      this.#heard++;
    }
  }

  /** Gives up, at the end of a case. */
  abandon(): void {
    this.stalled = true;
    this.#socket?.abort();
  }
}
