/**
 * The output of a command as lines with its name before them. A reader that is too slow holds up the command,
 * as if it wrote there itself; nothing is lost and little is kept.
 */

import type { TextSink } from "../../runtime/contract/contract.ts";

/** Longest line; what is longer continues on the next. Characters. */
const MAX_LINE = 8_192;
/** Characters after which the command waits until they are written. */
const FLUSH_EVERY = 65_536;

/** How a line looks, its end included. */
export type LineFormat = (stream: "stdout" | "stderr", line: string) => string;

/** The part of a command used here. */
interface Pausable {
  pauseOutput(): void;
  resumeOutput(): void;
}

/** `app | ` before each line. */
export function prefixed(name: string): LineFormat {
  return (_stream, line) => `${name} | ${line}\n`;
}

/** One start of a command. */
export class BackendOutput {
  readonly #sinks: Readonly<Record<1 | 2, TextSink>>;
  readonly #format: LineFormat;
  readonly #decoders = { 1: new TextDecoder(), 2: new TextDecoder() };
  /** Beginnings of lines. */
  readonly #rest = { 1: "", 2: "" };
  #command: Pausable | null = null;
  #unflushed = 0;
  #openStreams = 2;
  readonly #closed = Promise.withResolvers<void>();

  /** @param sinks where its standard output (1) and error (2) go; may be the same */
  constructor(sinks: Readonly<Record<1 | 2, TextSink>>, format: LineFormat) {
    this.#sinks = sinks;
    this.#format = format;
  }

  /** Whom to hold up. */
  of(command: Pausable): void {
    this.#command = command;
  }

  /** Resolves when nothing more comes and all has been handed to the sinks. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** It has been told to end: its reader does not hold it up any more. What is not written in time is lost. */
  letGo(): void {
    const command = this.#command;
    this.#command = null;
    command?.resumeOutput();
  }

  /** Bytes of standard output (1) or error (2). Cost is linear in their number. */
  data(fd: 1 | 2, bytes: Uint8Array): void {
    this.#take(fd, this.#decoders[fd].decode(bytes, { stream: true }));
  }

  /** Nothing more comes: a last line without an end is one all the same. */
  ended(fd: 1 | 2): void {
    this.#take(fd, this.#decoders[fd].decode());
    if (this.#rest[fd] !== "") this.#write(fd, this.#rest[fd]);
    this.#rest[fd] = "";
    this.#openStreams--;
    if (this.#openStreams === 0) this.#closed.resolve();
  }

  #take(fd: 1 | 2, text: string): void {
    const lines = (this.#rest[fd] + text).split("\n");
    let rest = lines.pop() ?? "";
    for (const line of lines) this.#write(fd, line);
    while (rest.length >= MAX_LINE) {
      this.#write(fd, rest.slice(0, MAX_LINE));
      rest = rest.slice(MAX_LINE);
    }
    this.#rest[fd] = rest;
  }

  #write(fd: 1 | 2, line: string): void {
    const sink = this.#sinks[fd];
    const bare = line.endsWith("\r") ? line.slice(0, -1) : line;
    const text = this.#format(fd === 1 ? "stdout" : "stderr", bare);
    sink.write(text);
    this.#unflushed += text.length;
    if (this.#unflushed < FLUSH_EVERY || this.#command === null) return;
    this.#unflushed = 0;
    this.#command.pauseOutput();
    void sink.flush().then(() => this.#command?.resumeOutput());
  }
}
