/**
 * Lines for operators on standard error. error = we are wrong or unable, warn = an operator may act,
 * info = life cycle, debug = single exchanges.
 */

import type { Clock, FlushPatience, TextSink, Timer } from "../../runtime/contract/contract.ts";
import { cut, escapeJson } from "./escape.ts";
import { formerLogEvent } from "./former_words.ts";
import { isoTime } from "./log_time.ts";

export type Level = "error" | "warn" | "info" | "debug";

/** More about a line; values are escaped and cut. */
export type Fields = Readonly<Record<string, string | number | boolean>>;

export interface LoggerOptions {
  readonly level: Level;
  readonly format: "text" | "json";
}

const RANK: Readonly<Record<Level, number>> = { error: 0, warn: 1, info: 2, debug: 3 };

/** Lines of one event in one window; more say nothing new and can fill a disk. */
const MAX_REPEATS = 10;
const WINDOW_MS = 1000;

const MAX_VALUE = 512;

/** How often an event has been logged in the current window. */
interface Repeats {
  windowStart: number;
  seen: number;
  suppressed: number;
  level: Level;
  timer: Timer | null;
}

export class Logger {
  readonly #sink: TextSink;
  readonly #clock: Clock;
  readonly #rank: number;
  readonly #json: boolean;
  readonly #repeats = new Map<string, Repeats>();

  constructor(sink: TextSink, clock: Clock, options: LoggerOptions) {
    this.#sink = sink;
    this.#clock = clock;
    this.#rank = RANK[options.level];
    this.#json = options.format === "json";
  }

  /** Ask before building costly arguments. */
  enabled(level: Level): boolean {
    return RANK[level] <= this.#rank;
  }

  /**
   * Writes a line. Of one `event` at most 10 lines are written in a second; then one line says how many were
   * left out.
   *
   * @param event one of a few fixed words of our program, never text from outside
   */
  log(level: Level, event: string, message: string, fields: Fields = {}): void {
    if (!this.enabled(level)) return;
    const repeats = this.#count(event, level);
    if (repeats.seen > MAX_REPEATS) {
      repeats.suppressed++;
      repeats.timer ??= this.#clock.setTimer(WINDOW_MS, () => this.#reportSuppressed(event, repeats), true);
      return;
    }
    this.#write(level, event, message, fields);
  }

  error(event: string, message: string, fields?: Fields): void {
    this.log("error", event, message, fields);
  }

  warn(event: string, message: string, fields?: Fields): void {
    this.log("warn", event, message, fields);
  }

  info(event: string, message: string, fields?: Fields): void {
    this.log("info", event, message, fields);
  }

  debug(event: string, message: string, fields?: Fields): void {
    this.log("debug", event, message, fields);
  }

  /** Resolves when all lines so far have reached the kernel; with false when some are lost, see `TextSink.flush`. */
  async flush(patience?: FlushPatience): Promise<boolean> {
    this.#reportAll();
    return await this.#sink.flush(patience);
  }

  /** For the last moment before the process ends. */
  flushNow(): void {
    this.#reportAll();
    this.#sink.flushNow();
  }

  #count(event: string, level: Level): Repeats {
    const now = this.#clock.now();
    let repeats = this.#repeats.get(event);
    if (repeats === undefined) {
      repeats = { windowStart: now, seen: 0, suppressed: 0, level, timer: null };
      this.#repeats.set(event, repeats);
    } else if (now - repeats.windowStart >= WINDOW_MS) {
      this.#reportSuppressed(event, repeats);
      repeats.windowStart = now;
      repeats.seen = 0;
    }
    repeats.seen++;
    return repeats;
  }

  #reportSuppressed(event: string, repeats: Repeats): void {
    repeats.timer?.cancel();
    repeats.timer = null;
    if (repeats.suppressed === 0) return;
    const suppressed = repeats.suppressed;
    repeats.suppressed = 0;
    this.#write(repeats.level, event, `${suppressed} more lines like this were left out`, { suppressed });
  }

  #reportAll(): void {
    for (const [event, repeats] of this.#repeats) this.#reportSuppressed(event, repeats);
  }

  #write(level: Level, event: string, message: string, fields: Fields): void {
    const time = isoTime(this.#clock.wall());
    this.#sink.write(
      this.#json
        ? jsonLine(time, level, event, message, fields)
        : textLine(time, level, event, message, fields),
    );
  }
}

function jsonLine(time: string, level: Level, event: string, message: string, fields: Fields): string {
  const former = formerLogEvent(event);
  const alias = former === undefined ? "" : `,"alias":"${former}"`;
  let line = `{"time":"${time}","level":"${level}","event":"${escapeJson(event)}"${alias},"message":"${
    escaped(message)
  }"`;
  for (const [key, value] of Object.entries(fields)) {
    line += `,"${escapeJson(key)}":${typeof value === "string" ? `"${escaped(value)}"` : jsonValue(value)}`;
  }
  return line + "}\n";
}

/** NaN and infinities have no JSON. */
function jsonValue(value: number | boolean): string {
  return typeof value === "number" && !Number.isFinite(value) ? "null" : String(value);
}

function textLine(time: string, level: Level, event: string, message: string, fields: Fields): string {
  let line = `${time} ${level} ${event}: ${escaped(message)}`;
  for (const [key, value] of Object.entries(fields)) {
    const text = String(value);
    line += ` ${key}=${/^[\w.:/@%+*[\]-]+$/.test(text) ? cut(text, MAX_VALUE) : `"${escaped(text)}"`}`;
  }
  const former = formerLogEvent(event);
  return (former === undefined ? line : `${line} alias=${former}`) + "\n";
}

function escaped(text: string): string {
  return escapeJson(cut(text, MAX_VALUE));
}
