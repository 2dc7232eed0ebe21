/** Where tunnels lead that clients ask for by CONNECT: says what it has to say, checks what it hears, and may misbehave. */

import type { CloseReason, Socket, SocketEvents } from "../../../runtime/contract/contract.ts";
import { textOf } from "./content.ts";
import { isId, TUNNEL_ID_BYTES } from "./requests.ts";
import type { Actor, Scene } from "./scene.ts";
import { Finding } from "./strict_reader.ts";

export interface DestinationPlan {
  readonly name: string;
  readonly port: number;
  /** Most bytes written in one go. */
  readonly pieceBytes: number;
  /** One act in so many is a misbehaviour; 0 = never. */
  readonly chaos: number;
  /** What it says to everybody. */
  readonly says: Uint8Array;
}

export class FuzzDestination {
  readonly scene: Scene;
  readonly plan: DestinationPlan;
  readonly connections = new Set<DestinationEnd>();
  #accepted = 0;

  constructor(scene: Scene, plan: DestinationPlan) {
    this.scene = scene;
    this.plan = plan;
    void scene.runtime.listen({
      address: { kind: "tcp", host: "127.0.0.1", port: plan.port },
      backlog: scene.random.pick([1, 3, 100]),
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1000,
    }, {
      accepted: (socket) => {
        const end = new DestinationEnd(this, socket, `${plan.name}.${++this.#accepted}`);
        this.connections.add(end);
        return end;
      },
      acceptFailed: () => {},
    });
  }
}

export class DestinationEnd implements Actor, SocketEvents {
  readonly #destination: FuzzDestination;
  readonly #socket: Socket;
  readonly #name: string;
  #said = 0;
  /** Until it is known whose tunnel it is. */
  #unread: Uint8Array[] = [];
  #expected: Uint8Array | null = null;
  #heard = 0;
  #blocked = false;
  #sleeping = false;
  #stalled = false;
  #finished = false;
  #over = false;
  #peerEnded = false;

  constructor(destination: FuzzDestination, socket: Socket, name: string) {
    this.#destination = destination;
    this.#socket = socket;
    this.#name = name;
  }

  get ready(): boolean {
    if (this.#over || this.#sleeping || this.#stalled || this.#finished) return false;
    return !this.#blocked;
  }

  act(): void {
    const { scene, plan } = this.#destination;
    const { random } = scene;
    if (plan.chaos > 0 && random.once(plan.chaos)) {
      this.#misbehave();
      return;
    }
    if (this.#said === plan.says.length) {
      // Which side ends first is nobody's rule.
      if (this.#peerEnded || random.once(4)) this.#finish();
      else this.#sleep(random.between(1, 500));
      return;
    }
    const to = Math.min(plan.says.length, this.#said + 1 + random.next(plan.pieceBytes));
    const taken = this.#socket.write(plan.says, this.#said, to);
    this.#blocked = taken < to - this.#said;
    this.#said += taken;
  }

  #sleep(ms: number): void {
    this.#sleeping = true;
    this.#destination.scene.clock.setTimer(ms, () => this.#sleeping = false);
  }

  #finish(): void {
    this.#trace("finishes");
    this.#finished = true;
    this.#socket.finish();
  }

  #misbehave(): void {
    const { random, clock, mood } = this.#destination.scene;
    // Reading slowly is no misbehaviour.
    switch (mood === "calm" ? 3 : random.next(6)) {
      case 0:
        this.#trace("resets");
        this.#gone();
        this.#socket.abort();
        break;
      case 1:
        this.#finish();
        break;
      case 2:
        this.#trace("stalls for ever");
        this.#stalled = true;
        if (random.once(2)) this.#socket.pause();
        break;
      case 3: {
        const ms = random.between(1, 3000);
        this.#sleep(ms);
        this.#socket.pause();
        clock.setTimer(ms, () => this.#socket.resume());
        break;
      }
      default:
        this.#sleep(random.between(1, 3000));
    }
  }

  #trace(what: string): void {
    this.#destination.scene.trace(this.#name, what);
  }

  #gone(): void {
    this.#over = true;
    this.#destination.connections.delete(this);
  }

  data(bytes: Uint8Array): void {
    if (this.#expected === null) {
      this.#unread.push(bytes.slice());
      this.#recognise();
    } else {
      this.#hear(this.#expected, bytes);
    }
  }

  /** Finds out whose tunnel it is by the first bytes. */
  #recognise(): void {
    const text = this.#unread.map(textOf).join("");
    const from = text.startsWith("G") ? text.indexOf("\r\n\r\n") + 4 : 0;
    if (from === 3 || text.length < from + TUNNEL_ID_BYTES) return;
    const id = text.slice(from, from + TUNNEL_ID_BYTES).trim();
    const request = isId(id) ? this.#destination.scene.requests.get(id) : undefined;
    if (request?.tunnel === undefined || request.tunnel === null) {
      throw new Finding(`${this.#name}: whose is ${id}?`);
    }
    if (request.barred || request.forbidden) throw new Finding(`${id} may not have a tunnel and got one`);
    request.starts++;
    if (request.starts > 1) throw new Finding(`${id} has two tunnels`);
    this.#trace(`is the end of ${id}`);
    this.#expected = request.tunnel;
    for (const piece of this.#unread) this.#hear(request.tunnel, piece);
    this.#unread = [];
  }

  #hear(expected: Uint8Array, bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#heard >= expected.length || byte !== expected[this.#heard]) {
        throw new Finding(`${this.#name}: wrong byte ${this.#heard} of the tunnel`);
      }
      this.#heard++;
    }
  }

  drained(): void {
    this.#blocked = false;
  }

  ended(): void {
    this.#trace(`sees the end after ${this.#heard} bytes`);
    this.#peerEnded = true;
    const { mood } = this.#destination.scene;
    if (mood === "calm" && this.#heard !== this.#expected?.length) {
      throw new Finding(`${this.#name}: the end after ${this.#heard} of ${this.#expected?.length} bytes`);
    }
  }

  closed(reason: CloseReason): void {
    this.#trace(`is closed: ${reason.code}`);
    this.#gone();
    if (this.#destination.scene.mood === "calm" && reason.code !== "finished") {
      throw new Finding(`${this.#name}: ${reason.code}`);
    }
  }
}
