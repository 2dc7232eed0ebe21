/**
 * A backend in memory that is killed as kill -9 does it on Linux: descriptors are closed one after the other, the latest
 * first. Its connections end while its listening socket still takes new ones; whatever has queued there is reset when the
 * turn of that socket comes. Dials are refused from then until the next process listens.
 */

import type { Address } from "../../runtime/contract/contract.ts";
import { Peer } from "./memory_lab.ts";
import type { MemoryListener, MemoryRuntime } from "./memory_runtime.ts";

/** A request that a process has read. */
export interface Seen {
  readonly method: string;
  readonly target: string;
}

export interface KillOptions {
  /** From the first end of a connection to that of the listening socket. */
  readonly dyingMs: number;
  /** From then until the next process listens; null: it has been handed the listening socket, and whatever waits there. */
  readonly awayMs: number | null;
  /** When each of the connections ends, from the kill on; `dyingMs` at most. Default: at once. */
  readonly endMs?: (nth: number) => number;
}

export class KilledBackend {
  readonly seen: Seen[] = [];
  /**
   * Of each kill: targets of the requests that were lost by it, once for each attempt. What was under way on a connection that
   * ended just then is not seen here.
   */
  readonly lost: string[][] = [];
  /** Requests that were reset in the queue of a process that was dead. */
  buried = 0;
  /** Requests that a process had at a time. */
  most = 0;
  /** When an answer to a request comes; milliseconds. */
  answerMs: (target: string) => number = () => 0;
  readonly #runtime: MemoryRuntime;
  readonly #address: Address;
  #listener: MemoryListener | null = null;
  /** 0 = none: the one before has been killed. */
  #process = 0;
  #processes = 0;
  /** What the present process has not answered: the targets. */
  readonly #busy = new Map<Peer, string>();
  #peers: Peer[] = [];
  /** Those that no process has accepted. */
  #queued: Peer[] = [];

  private constructor(runtime: MemoryRuntime, port: number) {
    this.#runtime = runtime;
    this.#address = { kind: "tcp", host: "127.0.0.1", port };
  }

  static async start(runtime: MemoryRuntime, port: number): Promise<KilledBackend> {
    const backend = new KilledBackend(runtime, port);
    await backend.#listen();
    return backend;
  }

  get alive(): boolean {
    return this.#process !== 0;
  }

  async #listen(): Promise<void> {
    this.#listener = await this.#runtime.listen({
      address: this.#address,
      backlog: 511,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1000,
    }, {
      accepted: (socket) => {
        const peer = new Peer();
        peer.socket = socket;
        if (this.alive) this.#accept(peer);
        else this.#queued.push(peer);
        return peer;
      },
      acceptFailed() {},
    });
    this.#boot();
  }

  #boot(): void {
    this.#process = ++this.#processes;
    this.#busy.clear();
    for (const peer of this.#queued.splice(0)) {
      this.#accept(peer);
      if (peer.end === "") this.#read(peer);
    }
  }

  #accept(peer: Peer): void {
    this.#peers.push(peer);
    peer.onData = () => this.#read(peer);
    peer.ended = () => {
      peer.end += "ended ";
      peer.socket.close();
    };
  }

  #read(peer: Peer): void {
    const process = this.#process;
    if (process === 0 || !peer.received.endsWith("\r\n\r\n")) return;
    const [method = "", target = ""] = peer.received.split(" ");
    peer.received = "";
    this.seen.push({ method, target });
    this.#busy.set(peer, target);
    this.most = Math.max(this.most, this.#busy.size);
    const answer = () => {
      // A process that has been killed answers nothing.
      if (process !== this.#process) return;
      this.#busy.delete(peer);
      if (peer.end === "") {
        peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`);
      }
    };
    const ms = this.answerMs(target);
    if (ms === 0) answer();
    else this.#runtime.clock.setTimer(ms, answer);
  }

  /** One that is dead already dies no more. */
  kill({ dyingMs, awayMs, endMs = () => 0 }: KillOptions): void {
    if (!this.alive) return;
    const { clock } = this.#runtime;
    this.#process = 0;
    const lost = [...this.#busy.values()];
    this.lost.push(lost);
    const later = (ms: number, act: () => void): void => {
      if (ms === 0) act();
      else clock.setTimer(ms, act);
    };
    /** As the kernel does it: a FIN behind what was said, and a reset for what lies unread, or comes later. */
    const end = (peer: Peer): void => {
      if (peer.end !== "") return;
      peer.onData = () => {
        lost.push(peer.received.split(" ")[1] ?? "");
        peer.socket.abort();
      };
      if (peer.received === "") peer.socket.finish();
      else peer.onData(peer);
    };
    this.#peers.splice(0).forEach((peer, nth) => later(Math.min(dyingMs, endMs(nth)), () => end(peer)));
    later(dyingMs, () => {
      if (awayMs === null) {
        this.#boot();
        return;
      }
      void this.#listener?.close();
      for (const peer of this.#queued.splice(0)) {
        if (peer.received !== "" && peer.end === "") this.buried++;
        end(peer);
      }
      clock.setTimer(awayMs, () => void this.#listen());
    });
  }

  /** Kills by which attempts at a request were lost, and how many attempts those were. */
  lossesOf(target: string): { readonly kills: number; readonly attempts: number } {
    const each = this.lost.map((lost) => lost.filter((other) => other === target).length);
    return { kills: each.filter((attempts) => attempts > 0).length, attempts: each.reduce(add, 0) };
  }
}

function add(one: number, other: number): number {
  return one + other;
}
