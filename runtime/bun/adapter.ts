/**
 * The adapter for Bun, over its native sockets; node:net on Bun costs a quarter more per request. What
 * Bun does where its documentation is silent stands in native.ts.
 *
 * What Bun lacks: the accept queue is always 512; the reason why connect(2) failed is mostly lost
 * (an unreachable host is `connection_refused`); a connection being set up cannot be given up (see
 * dial.ts); `accept` failing for want of descriptors is not reported, and Bun spins meanwhile, so
 * limit connections below `ulimit -n`.
 */
import type {
  Capabilities,
  Runtime,
  RuntimeOptions,
  SecureEvents,
  SecureOptions,
  Securing,
  Socket,
} from "../contract/contract.ts";
import { BunDial } from "./dial.ts";
import { duplicator } from "./duplicate.ts";
import { canWatchEnds, EndWatch } from "./end_watch.ts";
import { EpollSockets } from "./epoll/adapter.ts";
import { canEpoll } from "./epoll/calls.ts";
import type { Fitting } from "./epoll/loop.ts";
import { EpollSocket } from "./epoll/socket.ts";
import { listen, reserve } from "./listener.ts";
import type { BunGlobal } from "./native.ts";
import { canReleaseProgram, releaseProgram } from "./program_pages.ts";
import { adopt, canUpgrade, secureBun } from "./secure.ts";
import { BunSocket, type Host } from "./socket.ts";
import { canSpawn, HAS_PROCESS_GROUPS } from "../shared/command_process.ts";
import { ConnBuffers } from "../shared/conn_buffers.ts";
import { type JavaScriptHost, secureInJavaScript } from "../shared/conn_secure.ts";
import { openDatagrams } from "../shared/datagrams.ts";
import { canReapOrphans } from "../shared/orphans.ts";
import { PendingHandshake } from "../shared/securing.ts";
import { createClock, resolveName } from "../shared/system.ts";
import { canStartWorkers } from "../shared/worker_process.ts";

declare const Bun: BunGlobal;

const CAPABILITIES = {
  reusePort: true,
  unixSockets: true,
  abortSendsReset: true,
  serverNames: true,
  workers: canStartWorkers(),
  commands: canSpawn(),
  processGroups: HAS_PROCESS_GROUPS,
  ipv6Only: true,
  reapsOrphans: canReapOrphans(),
  tlsEnd: true,
  tlsInTlsHalfOpen: false,
  plainAnswer: process.platform === "linux",
  epoll: canEpoll(),
  maxChunkBytes: 512 * 1024,
} as const;

export interface BunOptions extends RuntimeOptions {
  /** What sockets over epoll are made with, for tests. */
  readonly fitting?: Fitting;
}

/** @param options `onHandlerError` serves all sockets, listeners and dials of the runtime */
export function createBunRuntime(options: BunOptions): Runtime {
  const { onHandlerError, fitting } = options;
  const clock = createClock();
  const host: Host = { clock, onHandlerError, ends: new EndWatch(clock) };
  const securing = { ...host, buffers: new ConnBuffers(true), closesWithPeer: true };
  let epoll: EpollSockets | null = null;
  const capabilities: Capabilities = {
    ...CAPABILITIES,
    get backlog() {
      return epoll !== null;
    },
    get handover() {
      return duplicator() !== null;
    },
    get endWhilePaused() {
      return canWatchEnds();
    },
    get ownChunks() {
      return epoll === null;
    },
  };
  return {
    name: "bun",
    version: Bun.version,
    capabilities,
    clock: {
      now: clock.now,
      wall: clock.wall,
      setTimer: (ms, fire, background = false) => (epoll ?? clock).setTimer(ms, fire, background),
    },
    useEpoll() {
      if (epoll !== null) return null;
      const opened = EpollSockets.open(onHandlerError, fitting);
      if (typeof opened === "string") return opened;
      epoll = opened;
      return null;
    },
    // TLS is Bun's.
    listen: (asked, events) =>
      epoll !== null && asked.tls === null ? epoll.listen(asked, events) : listen(asked, events, host),
    reserve: (asked) => epoll !== null ? epoll.reserve(asked) : reserve(asked),
    dial: (asked, events) =>
      epoll !== null && asked.tls === null ? epoll.dial(asked, events) : new BunDial(asked, events, host),
    secure: (asked, events) => secure(asked, events, securing),
    openDatagrams: (asked, events) => openDatagrams(asked, events, onHandlerError),
    resolve: resolveName,
    releaseMemory: () => Bun.gc(true),
    ...(canReleaseProgram() ? { releaseProgram } : {}),
    // Detaching frees at once; the collector would find 512 KiB arrays by the dozen.
    discard: (bytes) => void (bytes.buffer as ArrayBuffer).transfer(0),
  } satisfies Runtime;
}

/** By Bun itself over plain sockets; all else in JavaScript: TLS in TLS. */
function secure(
  options: SecureOptions,
  events: SecureEvents,
  host: JavaScriptHost & Host,
): Securing {
  const { socket } = options;
  if (socket instanceof EpollSocket) {
    const adopted = adopt(socket, host);
    if (adopted !== null) return secure({ ...options, socket: adopted }, events, host);
    return new PendingHandshake(options, events, host).refuse(socket);
  }
  if (socket instanceof BunSocket && canUpgrade(options, socket)) {
    return secureBun(options, socket, events, host);
  }
  return secureInJavaScript(options, events, host, takeOver);
}

/** Sockets that are not of this adapter stay what they are. */
function takeOver(socket: Socket): Socket | null {
  return socket instanceof BunSocket ? socket.handOver() : socket;
}
