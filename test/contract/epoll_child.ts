/**
 * Started by epoll_loop_test.ts: what only a process of its own can show. The first argument says what it does; it
 * never ends itself, so that the loop decides when the process is over.
 */
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import type { Listener, Runtime, Socket, SocketEvents } from "../../runtime/contract/contract.ts";
import { EpollSockets } from "../../runtime/bun/epoll/adapter.ts";
import type { EpollLoop } from "../../runtime/bun/epoll/loop.ts";
import { adapterFactory } from "../support/adapter.ts";
import { OPTIONS } from "../support/listen_options.ts";

const make = await adapterFactory();
let onHandlerError = (error: unknown): void => {
  throw error;
};
const runtime = make({ onHandlerError: (error) => onHandlerError(error) });

/** A runtime with sockets over epoll. */
function overEpoll(): Runtime {
  const why = runtime.useEpoll?.();
  if (why !== null) throw new Error(`no sockets over epoll: ${why}`);
  return runtime;
}

/** The same that the runtime uses. */
function loopOfProcess(): EpollLoop {
  const opened = EpollSockets.open(() => {});
  if (typeof opened === "string") throw new Error(opened);
  return opened.loop;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function portOf({ address }: Listener): number {
  return address.kind === "tcp" ? address.port : 0;
}

/** Greets; with the peer's end the connection is over, and `over` is called. */
function greet(socket: Socket, over: () => void = () => {}): SocketEvents {
  const text = new TextEncoder().encode("hello");
  socket.write(text, 0, text.length);
  return { data() {}, drained() {}, ended: () => socket.close(), closed: over };
}

/** Descriptors until there are no more. */
function takeAllDescriptors(): number[] {
  const taken: number[] = [];
  for (;;) {
    try {
      taken.push(openSync("/dev/null", "r"));
    } catch {
      return taken;
    }
  }
}

const TASKS: Readonly<Record<string, () => Promise<void>>> = {
  /** Listens until one connection has come and gone. */
  async listener() {
    const listener: Listener = await overEpoll().listen(OPTIONS, {
      accepted: (socket) => greet(socket, () => void listener.close()),
      acceptFailed() {},
    });
    say(`port ${portOf(listener)}`);
  },

  /** Nothing but a timer that is not worth waiting for. */
  async background() {
    const { clock } = overEpoll();
    clock.setTimer(3_600_000, () => say("fired"), true);
    clock.setTimer(0, () => say("soon"));
  },

  /** A listener that has come and gone leaves the background timer behind. */
  async closed() {
    const { clock } = overEpoll();
    clock.setTimer(3_600_000, () => say("fired"), true);
    const listener = await runtime.listen(OPTIONS, {
      accepted: (socket) => greet(socket),
      acceptFailed() {},
    });
    clock.setTimer(3_600_000, () => say("fired")).cancel();
    await listener.close();
    say("closed");
  },

  /** Background timers fire as long as something else, here of the platform, keeps the process. */
  async nap() {
    const { clock } = overEpoll();
    const held = setTimeout(() => {}, 3_600_000);
    clock.setTimer(1, () => {
      say("fired");
      clearTimeout(held);
    }, true);
  },

  /** A background timer beyond what the platform's timers know. */
  async far() {
    const { clock } = overEpoll();
    const calls = loopOfProcess().calls;
    let waits = 0;
    const wait = calls.wait.bind(calls);
    calls.wait = (epoll, timeoutMs) => {
      waits++;
      return wait(epoll, timeoutMs);
    };
    clock.setTimer(2 ** 31 + 1_000, () => say("fired"), true);
    // Timers of the platform that are due after the one which a number too large would become.
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 2));
    say(`waits ${waits}`);
  },

  /** No descriptor is left when a client comes. */
  async exhausted() {
    overEpoll();
    const calls = loopOfProcess().calls;
    let attempts = 0;
    const accept = calls.accept.bind(calls);
    calls.accept = (fd) => {
      const accepted = accept(fd);
      // Not those that found nothing to accept.
      if (accepted >= 0 || calls.errno === 24) attempts++;
      return accepted;
    };
    let taken: number[] = [];
    let failures = 0;
    const listener: Listener = await runtime.listen(OPTIONS, {
      accepted: (socket) => {
        say(`accepted after ${failures} failures and ${attempts} attempts`);
        return greet(socket, () => void listener.close());
      },
      acceptFailed({ code }) {
        say(`failed: ${code}`);
        if (++failures < 3) return;
        for (const fd of taken) closeSync(fd);
        taken = [];
      },
    });
    say(`port ${portOf(listener)}`);
    taken = takeAllDescriptors();
    runtime.dial({ address: listener.address, timeoutMs: 10_000, tls: null }, {
      opened: (socket) => greet(socket),
      failed: ({ code }) => say(`dial: ${code}`),
    });
    await runtime.listen(OPTIONS, { accepted: (socket) => greet(socket), acceptFailed() {} })
      .then(() => say("bound"), ({ code }) => say(`bind: ${code}`));
    say("full");
  },

  /** Without descriptors there is no loop to be had, and that is an answer. */
  async refused() {
    const taken = takeAllDescriptors();
    const answer = runtime.useEpoll?.();
    for (const fd of taken) closeSync(fd);
    say(`answer ${answer}`);
  },

  /** Handlers that throw, and then whoever is told throws as well. */
  async throws() {
    let uncaught = 0;
    process.on("uncaughtException", () => uncaught++);
    onHandlerError = (error) => {
      throw error;
    };
    const { clock } = overEpoll();
    let closed = 0;
    const boom = (): never => {
      throw new Error("thrown by a test");
    };
    const opened: Socket[] = [];
    const listener: Listener = await runtime.listen(OPTIONS, {
      accepted(socket) {
        opened.push(socket);
        return {
          data: boom,
          drained() {},
          ended() {},
          closed: () => {
            if (++closed < 3) boom();
            say(`closed ${closed}, uncaught ${uncaught}`);
            void listener.close();
          },
        };
      },
      acceptFailed() {},
    });
    const letter = new TextEncoder().encode("x");
    for (let count = 0; count < 3; count++) {
      runtime.dial({ address: listener.address, timeoutMs: 10_000, tls: null }, {
        opened(socket) {
          socket.write(letter, 0, 1);
          return { data() {}, drained() {}, ended: () => socket.close(), closed() {} };
        },
        failed: boom,
      });
    }
    clock.setTimer(0, boom);
    clock.setTimer(0, () => say("the next timer"));
  },
};

await TASKS[process.argv[2] ?? ""]?.();
