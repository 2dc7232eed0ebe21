/**
 * Everything of a process but its sockets, over `node:` modules, which all three runtimes have. The
 * clock and the name look-up that the three adapters share are here as well.
 */
import type * as dns from "node:dns";
import * as fs from "node:fs";
import { Buffer } from "node:buffer";
import process from "node:process";
import { clearImmediate, clearTimeout, setImmediate, setTimeout } from "node:timers";
import {
  type Clock,
  type NameFiles,
  type ScriptLoader,
  type SignalName,
  SocketFailure,
  type System,
  type Timer,
} from "../contract/contract.ts";
import { activatedSockets } from "./activated_sockets.ts";
import { certificateReader } from "./certificates.ts";
import { digests } from "./digests.ts";
import { tokenSource } from "./token_process.ts";
import { spawnCommand } from "./command_process.ts";
import { closeInherited, writeInherited } from "./inherited_descriptor.ts";
import { exposeBytes, readExposed } from "./exposed_bytes.ts";
import { fileSystem } from "./file_system.ts";
import { keepInspectorClosed } from "./inspector.ts";
import { reapOrphans } from "./orphans.ts";
import { exitNow } from "./process_end.ts";
import { noScripts } from "./script_problems.ts";
import { errorDetail } from "./socket_error.ts";
import { listenerAt } from "./socket_owner.ts";
import { monotonicMicroseconds, notifyServiceManager } from "./sd_notify.ts";
import { openTerminal } from "./terminal.ts";
import { sleep, systemError } from "./system_error.ts";
import { PIPE_BUF, withoutWaiting } from "./sink_target.ts";
import { openTextSink } from "./text_sink.ts";
import { connectParent, connectPredecessor, startSuccessor, startWorker } from "./worker_process.ts";
import { dnsModule, isIpLiteral, osModule, randomHex, ttyModule } from "./lazy_module.ts";

/** Longest delay that the platforms' timers know: more would fire at once. 24.8 days. */
const MAX_TIMER_MS = 2_147_483_647;
/** How long `writeDescriptor` waits for a full pipe, in milliseconds. */
const DESCRIPTOR_PATIENCE_MS = 1_000;

/** macOS and Windows have such files too, and do not go by them; Android has none. */
const NAME_FILES: NameFiles | null = ["darwin", "win32", "android"].includes(process.platform)
  ? null
  : { hosts: "/etc/hosts", servers: "/etc/resolv.conf", order: "/etc/nsswitch.conf" };

/** The process we are. Reads nothing and opens nothing until it is asked to. */
export function createSystem(scripts: ScriptLoader = noScripts("This program was made without.")): System {
  return {
    ...fileSystem,
    get userId() {
      return process.getuid?.() ?? -1;
    },
    certificates: certificateReader,
    digests,
    scripts,
    args: process.argv.slice(2),
    env: process.env,
    pid: process.pid,
    platform: process.platform,
    openTerminal,
    isTerminal: (fd) => ttyModule().isatty(fd),
    readText,
    writeText,
    remove,
    writeDescriptor,
    readStdin,
    openSink: async (target, maxBufferedBytes, shared) => openTextSink(target, maxBufferedBytes, shared),
    onSignal,
    listenerAt,
    reapOrphans,
    notifyServiceManager: (text) => notifyServiceManager(process.env.NOTIFY_SOCKET ?? "", text),
    monotonicMicroseconds,
    activatedSockets,
    residentBytes,
    nameFiles: NAME_FILES,
    get descriptorLimit() {
      return descriptorLimit();
    },
    interfaceAddresses,
    isStopped,
    exposeBytes,
    readExposed,
    get parallelism() {
      return Math.max(1, osModule().availableParallelism());
    },
    connectParent,
    startWorker,
    spawn: spawnCommand,
    get tokens() {
      return tokenSource();
    },
    startSuccessor,
    connectPredecessor,
    exit: exitNow,
  };
}

/** See proc_pid_stat(5): the state stands behind the name, which may hold anything. */
function isStopped(pid: number): boolean {
  try {
    return /^[^]*\) [Tt] /.test(fs.readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

/** Denied, Deno throws; so does a kernel without netlink sockets. */
function interfaceAddresses(): readonly string[] {
  try {
    return Object.values(osModule().networkInterfaces()).flatMap((list) =>
      (list ?? []).map(({ address }) => address.replace(/%.*$/, ""))
    );
  } catch {
    return [];
  }
}

/** The soft limit, which Bun and Node raise to the hard one when they start. Linux tells it without a process of its own. */
function descriptorLimit(): number {
  let limits: string;
  try {
    limits = fs.readFileSync("/proc/self/limits", "latin1");
  } catch {
    return Infinity;
  }
  const soft = /^Max open files +(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Infinity : Number(soft);
}

/**
 * The platform's clock and timers. A delay above 24.8 days is cut to that.
 *
 * `setTimer(0, …)` fires in the next turn of the loop, before timers of 1 ms.
 */
export function createClock(): Clock {
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    setTimer(ms, fire, background = false) {
      // The next turn comes at once, so it keeps no process; one that must not is not run by some loops that have nothing else.
      if (ms <= 0) return new TurnTimer(fire);
      const timer = new DelayTimer(ms, fire);
      if (background) timer.unref();
      return timer;
    },
  };
}

/**
 * All addresses of `host` in the order of the platform's resolver (getaddrinfo(3)), IP literals as they are. IPv4 and
 * IPv6 come as the system's resolver ranks them (RFC 6724), each address once.
 *
 * @throws SocketFailure `dns_error`
 */
export async function resolveName(host: string): Promise<readonly string[]> {
  if (isIpLiteral(host)) return [host];
  let found: readonly dns.LookupAddress[];
  try {
    found = await dnsModule().promises.lookup(host, { all: true, order: "verbatim" });
  } catch (error) {
    throw new SocketFailure("dns_error", errorDetail(error));
  }
  const addresses = [...new Set(found.map((entry) => entry.address))];
  if (addresses.length === 0) throw new SocketFailure("dns_error", `${host} has no address`);
  return addresses;
}

class DelayTimer implements Timer {
  readonly #handle: ReturnType<typeof setTimeout>;

  constructor(ms: number, fire: () => void) {
    this.#handle = setTimeout(fire, Math.min(ms, MAX_TIMER_MS));
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }

  unref(): void {
    this.#handle.unref();
  }
}

class TurnTimer implements Timer {
  readonly #handle: ReturnType<typeof setImmediate>;

  constructor(fire: () => void) {
    this.#handle = setImmediate(fire);
  }

  cancel(): void {
    clearImmediate(this.#handle);
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await fs.promises.readFile(path, "utf8");
  } catch (error) {
    throw systemError(error);
  }
}

async function writeText(path: string, text: string, secret = false): Promise<void> {
  const temporary = `${path}.${randomHex(6)}.tmp`;
  try {
    // "wx": in a folder that others can write to, a name planted there must not be followed.
    await fs.promises.writeFile(temporary, text, { flag: "wx", ...(secret ? { mode: 0o600 } : {}) });
    await fs.promises.rename(temporary, path);
  } catch (error) {
    await fs.promises.rm(temporary, { force: true }).catch(() => {});
    throw systemError(error);
  }
}

async function remove(path: string): Promise<void> {
  try {
    await fs.promises.unlink(path);
  } catch (error) {
    const failure = systemError(error);
    if (failure.code !== "ENOENT") throw failure;
  }
}

function writeDescriptor(fd: number, text: string, impatient = false): void {
  const bytes = Buffer.from(text);
  const deadline = Date.now() + DESCRIPTOR_PATIENCE_MS;
  const target = impatient
    ? withoutWaiting(fd)
    : { write: (some: Buffer) => writeSome(fd, some), close: () => {} };
  let written = 0;
  try {
    while (written < bytes.length) {
      try {
        written += target.write(bytes.subarray(written, impatient ? written + PIPE_BUF : bytes.length));
      } catch (error) {
        if (systemError(error).code !== "EAGAIN" || Date.now() >= deadline) throw error;
        sleep(1);
      }
    }
    if (fd > 2) closeDescriptor(fd);
  } catch (error) {
    throw systemError(error);
  } finally {
    target.close();
  }
}

function writeSome(fd: number, bytes: Buffer): number {
  try {
    return fs.writeSync(fd, bytes);
  } catch (error) {
    if (!isUnknownToDeno(error)) throw error;
    return writeInherited(fd, bytes);
  }
}

function closeDescriptor(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch (error) {
    if (!isUnknownToDeno(error)) throw error;
    closeInherited(fd);
  }
}

function isUnknownToDeno(error: unknown): boolean {
  return "Deno" in globalThis && systemError(error).code === "EBADF";
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  } catch (error) {
    throw systemError(error);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function onSignal(name: SignalName, handler: () => void): void {
  try {
    process.on(name, () => handler());
    if (name === "SIGUSR1") keepInspectorClosed();
  } catch {
    // Windows lacks most of them, and says so in different ways.
  }
}

function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}
