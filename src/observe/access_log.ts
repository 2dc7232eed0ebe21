/**
 * Collects one line for each exchange and hands them on in pieces: a sink is called at most once per 64 KiB
 * or 100 ms, never once per request.
 */

import type { Clock, FlushPatience, TextSink, Timer } from "../../runtime/contract/contract.ts";
import type { ExchangeRecord } from "../exchange/exchange_record.ts";
import { cut } from "./escape.ts";
import type { FieldSection } from "../http/field_section.ts";
import { formatCombined, formatCommon, formatJson, type FormatRecord, isKept } from "./access_log_format.ts";

/** Large enough that the call does not count, small enough to be lost without regret in a crash. */
const FLUSH_CHARS = 65_536;

/** People who watch the log should not notice the delay. */
const FLUSH_MS = 100;

const FORMATS = {
  json: formatJson,
  common: formatCommon,
  combined: formatCombined,
} as const satisfies Record<string, FormatRecord>;

/** Least time between two warnings that lines are being lost. */
const LOST_EVERY_MS = 60_000;

/** Longest values of a line that had to be made shorter, in characters; tried one after the other. */
const SHORTER: readonly number[] = [512, 128, 32];

export class AccessLog {
  readonly #sink: TextSink;
  readonly #clock: Clock;
  readonly #format: FormatRecord;
  #pending = "";
  #timer: Timer | null = null;
  readonly #onLost: (pieces: number, cause: string) => void;
  #lostTold = 0;
  #lostToldAt = -Infinity;

  /** @param onLost how many pieces the sink has dropped so far, and why; while it goes on once a minute */
  constructor(
    sink: TextSink,
    clock: Clock,
    format: keyof typeof FORMATS,
    onLost: (pieces: number, cause: string) => void = () => {},
  ) {
    this.#onLost = onLost;
    this.#sink = sink;
    this.#clock = clock;
    this.#format = FORMATS[format];
  }

  /** Whether `userAgent` and `referer` of a request with these fields are worth reading. */
  wantsAgent(section: FieldSection): boolean {
    return this.#format !== formatCommon && !isKept(section, this.#format);
  }

  /** Formats the record at once and does not keep it. Never throws, never blocks. */
  record(record: ExchangeRecord): void {
    let line = this.#format(record);
    if (line.length > this.#sink.wholeLineBytes) line = this.#shortened(record);
    this.#pending += line;
    if (this.#pending.length >= FLUSH_CHARS) {
      this.#handOn();
    } else if (this.#timer === null) {
      this.#timer = this.#clock.setTimer(FLUSH_MS, () => {
        this.#timer = null;
        this.#handOn();
      }, true);
    }
  }

  /** Resolves when all lines so far have reached the kernel; with false when some are lost, see `TextSink.flush`. */
  async flush(patience?: FlushPatience): Promise<boolean> {
    this.#handOn();
    const all = await this.#sink.flush(patience);
    this.#tellLost();
    return all;
  }

  /** For the last moment before the process ends. */
  flushNow(): void {
    this.#handOn();
    this.#sink.flushNow();
  }

  /** Goes on in a new file of the same name (log rotation); lines so far go to the old one. */
  async reopen(): Promise<void> {
    this.#handOn();
    await this.#sink.reopen();
  }

  /** A line that other processes cannot break in two is worth more than the end of a long target. */
  #shortened(record: ExchangeRecord): string {
    let line = "";
    for (const most of SHORTER) {
      line = this.#format({
        ...record,
        target: cut(record.target, most),
        host: cut(record.host, most),
        detail: cut(record.detail, most),
        userAgent: cut(record.userAgent, most),
        referer: cut(record.referer, most),
        section: null,
      });
      if (line.length <= this.#sink.wholeLineBytes) break;
    }
    return line;
  }

  #handOn(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#pending === "") return;
    const text = this.#pending;
    this.#pending = "";
    this.#sink.write(text);
    if (this.#sink.dropped === this.#lostTold) return;
    if (this.#clock.now() - this.#lostToldAt >= LOST_EVERY_MS) this.#tellLost();
  }

  #tellLost(): void {
    const { dropped, dropCause } = this.#sink;
    if (dropped === this.#lostTold) return;
    this.#lostTold = dropped;
    this.#lostToldAt = this.#clock.now();
    this.#onLost(dropped, dropCause);
  }
}
