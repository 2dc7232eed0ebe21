/**
 * The `System` of the contract in memory: files are a map, sinks collect text, signals come from the
 * test, and `exit` throws instead of ending the test run.
 */
import {
  type ActivatedSocket,
  type CommandEvents,
  type ExposedBytes,
  type FileStatus,
  type FlushPatience,
  type NameFiles,
  type SignalName,
  type SocketOwner,
  type SpawnOptions,
  type System,
  SystemError,
  type Terminal,
  type TerminalEvents,
  type TextSink,
  type TokenSource,
} from "../../runtime/contract/contract.ts";
import { certificateReader } from "../../runtime/shared/certificates.ts";
import { digests } from "../../runtime/shared/digests.ts";
import { MemoryScripts } from "./memory_scripts.ts";
import { MemoryCommand } from "./memory_command.ts";

/** Thrown by `MemorySystem.exit`. */
export class ExitSignal extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.name = "ExitSignal";
    this.exitCode = exitCode;
  }
}

export interface MemorySystemOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly pid?: number;
  readonly platform?: string;
  /** Descriptors (0, 1, 2) that count as terminals. */
  readonly terminals?: readonly number[];
  readonly files?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Default: none, so that names are the memory network's. */
  readonly nameFiles?: NameFiles;
}

/** A terminal of 80 by 24 whose output can be read and whose keys a test presses. */
export class MemoryTerminal implements Terminal {
  /** All that was written. */
  written = "";
  columns = 80;
  rows = 24;
  closed = false;
  readonly #leave: string;
  readonly #events: TerminalEvents;

  constructor(leave: string, events: TerminalEvents) {
    this.#leave = leave;
    this.#events = events;
  }

  size(): { columns: number; rows: number } {
    return { columns: this.columns, rows: this.rows };
  }

  write(text: string): void {
    this.written += text;
  }

  close(): void {
    if (!this.closed) this.written += this.#leave;
    this.closed = true;
  }

  press(key: string): void {
    this.#events.key(key);
  }

  resize(columns: number, rows: number): void {
    this.columns = columns;
    this.rows = rows;
    this.#events.resized();
  }
}

/** A sink that keeps all text. `stalled` models a target that does not keep up. */
export class MemorySink implements TextSink {
  readonly target: string | 1 | 2;
  dropped = 0;
  dropCause = "";
  wholeLineBytes = Infinity;
  /** How often `reopen` was called. */
  reopened = 0;
  /** What `reopen` takes, and how it ends. */
  reopening: Promise<void> = Promise.resolve();
  /** While true nothing leaves the buffer, so that `maxBufferedBytes` is reached. */
  stalled = false;
  #waiting = "";
  readonly #append: (text: string) => void;
  readonly #maxBufferedBytes: number;

  constructor(target: string | 1 | 2, maxBufferedBytes: number, append: (text: string) => void) {
    this.target = target;
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#append = append;
  }

  write(text: string): void {
    if (!this.stalled) {
      this.flushNow();
      this.#append(text);
    } else if (this.#waiting.length + text.length > this.#maxBufferedBytes) {
      this.dropped++;
      this.dropCause = "its target does not keep up";
    } else {
      this.#waiting += text;
    }
  }

  reopen(): Promise<void> {
    this.reopened++;
    return this.reopening;
  }

  /** What is stalled is lost as soon as somebody has no more patience. */
  flush(patience?: FlushPatience): Promise<boolean> {
    if (patience !== undefined && this.stalled && this.#waiting !== "") {
      this.#waiting = "";
      this.dropped++;
      this.dropCause = "its target does not keep up";
      return Promise.resolve(false);
    }
    this.flushNow();
    return Promise.resolve(true);
  }

  flushNow(): void {
    const text = this.#waiting;
    this.#waiting = "";
    if (text !== "") this.#append(text);
  }
}

export class MemorySystem implements System {
  readonly certificates = certificateReader;
  readonly digests = digests;
  readonly scripts = new MemoryScripts();
  tokens: TokenSource | null = null;
  /** Answer of `listenerAt`, whatever the address. */
  owner: SocketOwner | null = null;
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
  readonly platform: string;
  /** Contents by path. A path mapped to a `SystemError` fails with it. */
  readonly files = new Map<string, string | SystemError>();
  /** Text written to descriptors, sinks on 1 and 2 included. */
  readonly descriptors = new Map<number, string>();
  /** Every sink opened, in order. */
  readonly sinks: MemorySink[] = [];
  /** What `notifyServiceManager` was given. */
  readonly notifications: string[] = [];
  /** The code of the first `exit`, null before. */
  exitCode: number | null = null;
  memoryBytes = 0;
  parallelism = 1;
  descriptorLimit = Infinity;
  interfaces: readonly string[] = [];
  /** Of processes that do not run. */
  readonly stopped = new Set<number>();
  /** What has been exposed, in order. */
  readonly exposed: ExposedBytes[] = [];
  /** Commands started, in order. */
  readonly commands: MemoryCommand[] = [];
  onSpawn: (command: MemoryCommand) => void = () => {};

  readonly nameFiles: NameFiles | null;
  readonly #terminals: readonly number[];
  readonly #stdin: string;
  readonly #handlers = new Map<SignalName, (() => void)[]>();

  constructor(options: MemorySystemOptions = {}) {
    this.args = options.args ?? [];
    this.env = options.env ?? {};
    this.pid = options.pid ?? 4711;
    this.platform = options.platform ?? "linux";
    this.#terminals = options.terminals ?? [];
    this.#stdin = options.stdin ?? "";
    this.nameFiles = options.nameFiles ?? null;
    for (const [path, text] of Object.entries(options.files ?? {})) this.files.set(path, text);
  }

  /** Standard output so far. */
  get stdout(): string {
    return this.descriptors.get(1) ?? "";
  }

  /** Standard error so far. */
  get stderr(): string {
    return this.descriptors.get(2) ?? "";
  }

  /** Delivers a signal. False when nobody handles it. */
  signal(name: SignalName): boolean {
    const handlers = this.#handlers.get(name) ?? [];
    for (const handler of [...handlers]) handler();
    return handlers.length > 0;
  }

  isTerminal(fd: number): boolean {
    return this.#terminals.includes(fd);
  }

  /** The terminal that was taken over last, until it is given back and after. */
  terminal: MemoryTerminal | null = null;

  openTerminal(leave: string, events: TerminalEvents): MemoryTerminal | null {
    if (!this.isTerminal(0) || !this.isTerminal(1)) return null;
    this.terminal = new MemoryTerminal(leave, events);
    return this.terminal;
  }

  async readText(path: string): Promise<string> {
    const content = this.files.get(path);
    if (content === undefined) throw new SystemError("ENOENT", `no such file: ${path}`);
    if (content instanceof SystemError) throw content;
    return content;
  }

  async writeText(path: string, text: string): Promise<void> {
    const before = this.files.get(path);
    if (before instanceof SystemError) throw before;
    this.files.set(path, text);
  }

  /** Folders there are; those above them are there too. */
  readonly folders = new Set<string>(["/", "/tmp"]);
  readonly userId: number = 1000;

  async statusOf(path: string): Promise<FileStatus | null> {
    if (this.folders.has(path)) return { kind: "folder", identity: path, owner: 1000, mode: 0o700 };
    const content = this.files.get(path);
    if (content === undefined) return null;
    return { kind: "file", identity: `${path}:${String(content)}`, owner: 1000, mode: 0o600 };
  }

  async listFolder(path: string): Promise<readonly string[]> {
    if (!this.folders.has(path)) throw new SystemError("ENOENT", `no such folder: ${path}`);
    const all = [...this.files.keys(), ...this.folders].filter((name) => name.startsWith(`${path}/`));
    return [...new Set(all.map((name) => name.slice(path.length + 1).split("/")[0] ?? ""))];
  }

  async makeFolder(path: string): Promise<void> {
    if (this.folders.has(path)) throw new SystemError("EEXIST", `there is one already: ${path}`);
    if (!this.folders.has(path.slice(0, path.lastIndexOf("/")) || "/")) {
      throw new SystemError("ENOENT", `no such folder: ${path}`);
    }
    this.folders.add(path);
  }

  async removeFolder(path: string): Promise<void> {
    if (!this.folders.delete(path)) throw new SystemError("ENOENT", `no such folder: ${path}`);
  }

  async allow(path: string): Promise<void> {
    if (!this.files.has(path)) throw new SystemError("ENOENT", `no such file: ${path}`);
  }

  /** Paths whose times were renewed. */
  readonly renewed: string[] = [];

  async renewTimes(path: string): Promise<void> {
    if (!this.files.has(path)) throw new SystemError("ENOENT", `no such file: ${path}`);
    this.renewed.push(path);
  }

  async rename(from: string, to: string): Promise<void> {
    const content = this.files.get(from);
    if (content === undefined) throw new SystemError("ENOENT", `no such file: ${from}`);
    this.files.delete(from);
    this.files.set(to, content);
  }

  async remove(path: string): Promise<void> {
    const before = this.files.get(path);
    if (before instanceof SystemError) throw before;
    this.files.delete(path);
  }

  writeDescriptor(fd: number, text: string): void {
    this.descriptors.set(fd, (this.descriptors.get(fd) ?? "") + text);
  }

  async readStdin(): Promise<string> {
    return this.#stdin;
  }

  async openSink(target: string | 1 | 2, maxBufferedBytes: number): Promise<MemorySink> {
    if (typeof target === "string") {
      const before = this.files.get(target);
      if (before instanceof SystemError) throw before;
      if (before === undefined) this.files.set(target, "");
    }
    const sink = new MemorySink(target, maxBufferedBytes, (text) => {
      if (typeof target === "number") this.writeDescriptor(target, text);
      else this.files.set(target, String(this.files.get(target) ?? "") + text);
    });
    this.sinks.push(sink);
    return sink;
  }

  /** Whether `reapOrphans` was called. */
  reaps = false;

  reapOrphans(): boolean {
    this.reaps = true;
    return true;
  }

  onSignal(name: SignalName, handler: () => void): void {
    const handlers = this.#handlers.get(name) ?? [];
    handlers.push(handler);
    this.#handlers.set(name, handlers);
  }

  // deno-lint-ignore require-await -- the contract wants a promise
  async listenerAt(): Promise<SocketOwner | null> {
    return this.owner;
  }

  async notifyServiceManager(text: string): Promise<boolean> {
    if (this.env.NOTIFY_SOCKET === undefined) return false;
    this.notifications.push(text);
    return true;
  }

  async monotonicMicroseconds(): Promise<bigint | null> {
    return 4_711_000_000n;
  }

  activated: ActivatedSocket[] = [];

  activatedSockets(): readonly ActivatedSocket[] {
    return this.activated.splice(0);
  }

  exposeBytes(size: number): ExposedBytes {
    const address = 4096 * (this.exposed.length + 1);
    const bytes = new Uint8Array(size);
    this.exposed.push({ address, bytes });
    return { address, bytes };
  }

  readExposed(_pid: number, address: number): Uint8Array | null {
    return this.exposed.find((one) => one.address === address)?.bytes ?? null;
  }

  isStopped(pid: number): boolean {
    return this.stopped.has(pid);
  }

  interfaceAddresses(): readonly string[] {
    return this.interfaces;
  }

  residentBytes(): number {
    return this.memoryBytes;
  }

  connectParent(): null {
    return null;
  }

  startWorker(): never {
    throw new SystemError("ENOTSUP", "there is but one process in memory");
  }

  /** Every command started stays in `commands`; `onSpawn` is told. */
  spawn(options: SpawnOptions, events: CommandEvents): MemoryCommand {
    const command = new MemoryCommand(1000 + this.commands.length, options, events);
    this.commands.push(command);
    queueMicrotask(() => this.onSpawn(command));
    return command;
  }

  startSuccessor(): never {
    throw new SystemError("ENOTSUP", "there is but one process in memory");
  }

  connectPredecessor(): null {
    return null;
  }

  exit(code: number): never {
    this.exitCode ??= code;
    throw new ExitSignal(code);
  }
}
