/**
 * Sockets for Bun on Linux over system calls that we make ourselves, with an event loop of our own beside Bun's: what
 * `sockets: auto` chooses where it can. TCP and Unix sockets without TLS; TLS and the rest of the platform stay with Bun's.
 *
 * What it gains stands in docs/performance.md. What it costs: that no memory is touched which is not ours rests on
 * calls.ts, and that Bun's loop goes on beside ours on loop.ts.
 */
import type {
  AcceptEvents,
  Dial,
  DialEvents,
  DialOptions,
  Listener,
  ListenOptions,
  ReserveOptions,
  Timer,
} from "../../contract/contract.ts";
import { EpollDial } from "./dial.ts";
import type { EpollHost } from "./host.ts";
import { bindSocket, EpollListener } from "./listener.ts";
import { type EpollLoop, type Fitting, openEpollLoop } from "./loop.ts";
import { ReservedSocket } from "../../shared/reserved_socket.ts";
import { HeapTimer } from "./timer_heap.ts";

export class EpollSockets implements EpollHost {
  readonly loop: EpollLoop;
  readonly onHandlerError: (error: unknown) => void;

  constructor(loop: EpollLoop, onHandlerError: (error: unknown) => void) {
    this.loop = loop;
    this.onHandlerError = onHandlerError;
  }

  /** @returns why it cannot be had */
  static open(onHandlerError: (error: unknown) => void, fitting?: Fitting): EpollSockets | string {
    const loop = openEpollLoop(fitting);
    return typeof loop === "string" ? loop : new EpollSockets(loop, onHandlerError);
  }

  async listen(options: ListenOptions, events: AcceptEvents): Promise<Listener> {
    return new EpollListener(await bindSocket(options, this.loop.calls), events, this);
  }

  async reserve(options: ReserveOptions): Promise<Listener> {
    const { calls } = this.loop;
    const { address, fd } = await bindSocket(options, calls);
    return new ReservedSocket(address, fd, () => calls.close(fd));
  }

  dial(options: DialOptions, events: DialEvents): Dial {
    return new EpollDial(options, events, this);
  }

  /** As `Clock.setTimer`. */
  setTimer(ms: number, fire: () => void, background: boolean): Timer {
    return new LoopTimer(performance.now() + Math.max(0, ms), fire, background, this);
  }
}

class LoopTimer extends HeapTimer implements Timer {
  readonly #fire: () => void;
  readonly #sockets: EpollSockets;
  /** The process goes on for our sake. */
  #holds: boolean;

  constructor(due: number, fire: () => void, background: boolean, sockets: EpollSockets) {
    super(due);
    this.#fire = fire;
    this.#sockets = sockets;
    this.#holds = !background;
    const { loop } = sockets;
    loop.timers.add(this);
    if (this.#holds) loop.ref();
    else loop.timerSet();
  }

  fire(): void {
    this.#letGo();
    try {
      this.#fire();
    } catch (error) {
      this.#sockets.onHandlerError(error);
    }
  }

  cancel(): void {
    this.#sockets.loop.timers.remove(this);
    this.#letGo();
  }

  #letGo(): void {
    if (!this.#holds) return;
    this.#holds = false;
    this.#sockets.loop.unref();
  }
}
