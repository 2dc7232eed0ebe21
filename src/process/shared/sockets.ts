/**
 * The listening sockets of a process: those it accepts from, those it keeps for its workers, and those it was
 * given by another process. All listening goes through `runtime`, so that what was given is found, and
 * all that is open is known when it is our turn to give it away.
 */

import type {
  AcceptEvents,
  Address,
  Listener,
  ListenOptions,
  Runtime,
  System,
  UnixAccess,
} from "../../../runtime/contract/contract.ts";
import { derivedRuntime } from "../../resolve/derived_runtime.ts";
import { LISTENER_LOOKS, PathKeeper } from "./path_keeper.ts";

/** For connections in the queue of a socket whose path was removed, once another one has that path. */
const LEAVE_AFTER_MS = 1_000;

/** A socket that one process gives to another. */
export interface GivenSocket {
  /** As it was asked for; with port 0, say. */
  readonly asked: Address;
  readonly address: Address;
  /** Its number in the process that has it. */
  readonly descriptor: number;
  /** The process that started us listens on it as well, and we never do more than close our copy. */
  readonly lent?: boolean;
}

/** A listener, and the address that it was asked for. */
interface Kept {
  readonly asked: Address;
  readonly listener: Listener;
  /** See `GivenSocket.lent`. */
  readonly lent: boolean;
}

export class Sockets {
  /** The platform's, but for `listen`. */
  readonly runtime: Runtime;
  readonly #platform: Runtime;
  readonly #lent: boolean;
  readonly #shared: readonly Address[];
  readonly #system: System;
  readonly #paths: PathKeeper;
  readonly #open = new Set<Kept>();
  readonly #held = new Set<Kept>();
  /** Given to us, and not used so far. */
  #inherited: readonly GivenSocket[];
  #givenAway = false;
  /** Of Unix sockets from now on. */
  access: UnixAccess | null = null;
  /** Told what happens to the paths of Unix sockets, in words. */
  noted: (message: string) => void = () => {};

  /**
   * @param inherited given to us; ours from now on
   * @param lent another process has all of these as well: only our copies are closed
   * @param shared what the process whose place we take listens on: no stranger's
   */
  constructor(
    platform: Runtime,
    system: System,
    inherited: readonly GivenSocket[],
    lent = false,
    shared: readonly Address[] = [],
  ) {
    this.#platform = platform;
    this.#system = system;
    this.#paths = new PathKeeper(platform.clock, system, LISTENER_LOOKS, (message) => this.noted(message));
    this.#shared = shared;
    this.#inherited = inherited;
    this.#lent = lent;
    this.runtime = derivedRuntime(platform, { listen: (options, events) => this.#listen(options, events) });
  }

  /** Further sockets are ours. */
  inherit(sockets: readonly GivenSocket[]): void {
    this.#inherited = [...this.#inherited, ...sockets];
  }

  /** There is a socket for this address that is not in use so far, or it is shared with the Sluice before us. */
  inherits(address: Address): boolean {
    return this.#inherited.some((socket) => isFor(socket, address)) ||
      this.#shared.some((shared) => same(shared, address));
  }

  /**
   * Keeps sockets for workers in other processes: one for each where sockets can share a port, else one that all
   * of them accept from. What was inherited comes first, all of it.
   *
   * @throws SocketFailure
   */
  async keep(asked: Address, backlog: number, workers: number): Promise<GivenSocket[]> {
    const listeners: Kept[] = [];
    const reusePort = asked.kind === "tcp";
    const reserve = async (address: Address, inherited?: number, lent = false) => {
      const options = { address, backlog, reusePort };
      const listener = await this.#platform.reserve(
        inherited === undefined ? options : { ...options, inherited },
      );
      const kept = { asked, listener, lent };
      this.#held.add(kept);
      listeners.push(kept);
    };
    for (const { address, descriptor, lent } of this.#take(asked)) await reserve(address, descriptor, lent);
    const inherited = listeners.length;
    while (listeners.length < (reusePort ? workers : 1)) {
      try {
        await reserve(listeners[0]?.listener.address ?? asked);
      } catch (error) {
        // A port that was one process's own cannot be shared by further sockets.
        if (inherited === 0) throw error;
        break;
      }
    }
    return listeners.map(given);
  }

  /**
   * Closes what is kept for workers, but for `addresses`. Workers have copies of their own, so this comes before
   * they end: no connection must get into a queue that is not served.
   */
  async closeHeld(addresses: readonly Address[] = []): Promise<void> {
    const closed = [...this.#held].filter(({ asked }) => !addresses.some((address) => same(address, asked)));
    for (const kept of closed) this.#held.delete(kept);
    await Promise.all(closed.map((kept) => this.#end(kept)));
  }

  /** Closes what was inherited and is of no use: connections to it are refused from now on. */
  async closeUnused(): Promise<void> {
    const unused = this.#inherited;
    this.#inherited = [];
    for (const { address, descriptor, lent } of unused) {
      const options = { address, backlog: 0, reusePort: false, inherited: descriptor };
      const held = await this.#platform.reserve(options);
      await (lent === true ? held.leave() : held.close());
    }
  }

  /**
   * All there are, to be given to another process.
   * @throws Error when one of them cannot be given away
   */
  gift(): GivenSocket[] {
    return [...this.#held, ...this.#open].map(given);
  }

  /** Another process has all of them: they stay open there whatever we close. */
  gaveAway(): void {
    this.#givenAway = true;
  }

  /** Uses what was inherited for the address, all of it; the listener stands for all. */
  async #listen(options: ListenOptions, events: AcceptEvents): Promise<Listener> {
    const inherited = options.inherited === undefined ? this.#take(options.address) : [];
    const opened: Kept[] = [];
    let ended = false;
    const add = async (asked: Address, use: ListenOptions, lent = false) => {
      const kept = { asked, listener: await this.#platform.listen(use, events), lent };
      this.#open.add(kept);
      opened.push(kept);
      return kept.listener;
    };
    const end = async (how: (kept: Kept) => Promise<void>) => {
      ended = true;
      release();
      const all = opened.splice(0);
      for (const kept of all) this.#open.delete(kept);
      await Promise.all(all.map(how));
    };
    /** The path of a Unix socket is gone: a new socket gets it, and the old one is left once its queue is empty. */
    const restore = async (use: ListenOptions) => {
      if (this.#givenAway) return;
      const before = [...opened];
      await add(options.address, use);
      if (ended) return await end((kept) => this.#end(kept));
      this.#platform.clock.setTimer(LEAVE_AFTER_MS, () => {
        for (const kept of before) {
          this.#open.delete(kept);
          const at = opened.indexOf(kept);
          if (at >= 0) opened.splice(at, 1);
          void kept.listener.leave();
        }
      }, true);
    };
    for (const { asked, address, descriptor, lent } of inherited) {
      await add(asked, { ...options, address, inherited: descriptor }, lent);
    }
    const use = this.access === null || options.address.kind === "tcp"
      ? options
      : { ...options, access: this.access };
    const first = opened[0]?.listener ?? await add(options.address, use);
    const { address } = first;
    // The path of a socket that is lent is the lender's business.
    const ours = address.kind === "unix" && opened[0]?.lent !== true;
    const release = ours ? this.#paths.keep(address.path, () => restore(use)) : () => {};
    if (ours && this.access !== null && inherited.length > 0) {
      // As the process before us has made it; with its path removed, it is the keeper's to make it anew.
      await this.#system.allow(address.path, this.access).catch(() => {});
    }
    return {
      address,
      get descriptor() {
        return opened.at(-1)?.listener.descriptor ?? null;
      },
      certify: async (tls) => {
        for (const { listener } of opened) await listener.certify(tls);
      },
      close: () => end((kept) => this.#end(kept)),
      leave: () => end(({ listener }) => listener.leave()),
    };
  }

  #end({ listener, lent }: Kept): Promise<void> {
    return this.#givenAway || this.#lent || lent ? listener.leave() : listener.close();
  }

  /** All sockets of one listener: when several were asked for in the same words (port 0), those of the first. */
  #take(wanted: Address): GivenSocket[] {
    const first = this.#inherited.find((socket) => isFor(socket, wanted));
    if (first === undefined) return [];
    const taken = this.#inherited.filter(({ address }) => same(address, first.address));
    this.#inherited = this.#inherited.filter((socket) => !taken.includes(socket));
    return taken;
  }
}

/** Those of the sockets kept for an address that the one of `workers` with this index accepts from. */
export function socketsOf<T>(sockets: readonly T[], index: number, workers: number): T[] {
  const fewer = sockets.length < workers;
  return sockets.filter((_, at) => fewer ? at === index % sockets.length : at % workers === index);
}

function given({ asked, listener: { address, descriptor }, lent }: Kept): GivenSocket {
  if (descriptor === null) {
    const name = address.kind === "unix" ? address.path : `${address.host}:${address.port}`;
    throw new Error(`the socket of ${name} cannot be given away`);
  }
  return { asked, address, descriptor, ...(lent ? { lent } : {}) };
}

function isFor(socket: GivenSocket, address: Address): boolean {
  return same(socket.asked, address) || same(socket.address, address);
}

function same(a: Address, b: Address): boolean {
  if (a.kind === "unix" || b.kind === "unix") {
    return a.kind === "unix" && b.kind === "unix" && a.path === b.path;
  }
  return a.host === b.host && a.port === b.port;
}
