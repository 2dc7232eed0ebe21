/** `sluice top`: what happens, live on a terminal; or one sample, where there is none. */

import { History } from "../../admin/history.ts";
import type { Terminal, Timer } from "../../../runtime/contract/contract.ts";
import type { Status } from "../../process/worker/status.ts";
import { EXIT, type ExitCode } from "../../process/shared/exit_code.ts";
import { type SortKey, topSample } from "./rows.ts";
import { drawTop, rowCount, type TopPicture, type TopStyle, type TopView } from "./screen.ts";
import { statusOf } from "../verbs/status_reply.ts";
import { ANSWER_MS, durationOf, garbage, type VerbCall, VerbFailure } from "../verbs/verb_call.ts";

const USUAL_INTERVAL = "1s";
/** Alternate screen, no cursor, no wrapping; and back. */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";

const SORT_KEYS: Readonly<Record<string, SortKey>> = {
  n: "name",
  r: "rate",
  l: "latency",
  w: "waiting",
  f: "failed",
};

export async function top(call: VerbCall): Promise<ExitCode> {
  const intervalMs = durationOf("interval", call.text("interval") ?? USUAL_INTERVAL, 100);
  const first = await askStatus(call);
  // What is printed to a terminal that knows no commands would be rubbish.
  const live = !call.json && !call.args.own.has("once") && call.system.env["TERM"] !== "dumb";
  const screen = live ? new TopScreen(call, first, intervalMs) : null;
  if (screen?.open() === true) return await screen.ended;
  await new Promise<void>((done) => call.runtime.clock.setTimer(intervalMs, done));
  const now = await askStatus(call);
  const sample = topSample(first, now);
  const view: TopView = { sort: "name", reversed: false, endpoints: true, from: 0 };
  const picture: TopPicture = { status: now, sample, view, rates: () => [], trouble: "" };
  const rows = rowCount(picture) + (picture.sample.forward === undefined ? 6 : 7);
  const lines = drawTop(picture, { columns: 100, rows, colour: false, unicode: isUnicode(call) });
  // Without the line about keys.
  call.tell(sample, lines.slice(0, -1).map((line) => line.trimEnd()).join("\n"));
  return EXIT.done;
}

async function askStatus(call: VerbCall): Promise<Status> {
  const reply = await call.request("GET", "/status", {}, ANSWER_MS);
  if (!Array.isArray(reply["upstreams"]) || typeof reply["uptime_ms"] !== "number") {
    throw garbage(call.control.path, "its status is none");
  }
  return statusOf(reply);
}

function isUnicode({ system: { env } }: VerbCall): boolean {
  return /utf-?8/i.test(env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "");
}

class TopScreen {
  readonly #call: VerbCall;
  readonly #intervalMs: number;
  readonly #history = new History();
  readonly #over = Promise.withResolvers<ExitCode>();
  #terminal: Terminal | null = null;
  #timer: Timer | null = null;
  #status: Status;
  #view: TopView = { sort: "name", reversed: false, endpoints: true, from: 0 };
  #trouble = "";
  #closed = false;

  constructor(call: VerbCall, first: Status, intervalMs: number) {
    this.#call = call;
    this.#status = first;
    this.#intervalMs = intervalMs;
    this.#history.add(first);
  }

  /** Resolves when the user quits, or a signal ends us; the terminal is as it was. */
  get ended(): Promise<ExitCode> {
    return this.#over.promise;
  }

  /** False when there is no terminal. */
  open(): boolean {
    const { system } = this.#call;
    this.#terminal = system.openTerminal(LEAVE, {
      key: (text) => this.#guarded(() => this.#key(text)),
      resized: () => this.#guarded(() => this.#draw()),
    });
    if (this.#terminal === null) return false;
    for (const name of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const) {
      system.onSignal(name, () => this.#end());
    }
    this.#terminal.write(ENTER);
    this.#guarded(() => this.#draw());
    this.#later();
    return true;
  }

  /** A bug of ours must not leave the terminal as it is. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#close();
      this.#over.reject(error);
    }
  }

  #close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#terminal?.close();
  }

  #end(): void {
    this.#close();
    this.#over.resolve(EXIT.done);
  }

  #later(): void {
    if (this.#closed) return;
    this.#timer = this.#call.runtime.clock.setTimer(this.#intervalMs, () => void this.#refresh());
  }

  async #refresh(): Promise<void> {
    try {
      const status = await askStatus(this.#call);
      this.#status = status;
      this.#history.add(status);
      this.#trouble = "";
    } catch (error) {
      if (!(error instanceof VerbFailure)) {
        this.#close();
        this.#over.reject(error);
        return;
      }
      this.#trouble = error.message;
    }
    if (this.#closed) return;
    this.#guarded(() => this.#draw());
    this.#later();
  }

  #key(text: string): void {
    const sort = SORT_KEYS[text];
    if (sort !== undefined) {
      // The same once more turns the order round.
      const reversed = sort === this.#view.sort && !this.#view.reversed;
      this.#view = { ...this.#view, sort, reversed };
    } else if (text === "e") {
      this.#view = { ...this.#view, endpoints: !this.#view.endpoints, from: 0 };
    } else if (text === "q" || text === "Q" || text === "\x03" || text === "\x1b") {
      this.#end();
      return;
    } else {
      const page = Math.max(1, (this.#terminal?.size().rows ?? 1) - 7);
      const by =
        { "\x1b[A": -1, k: -1, "\x1b[B": 1, j: 1, "\x1b[5~": -page, "\x1b[6~": page, " ": page }[text];
      if (by === undefined) return;
      const last = Math.max(0, rowCount(this.#picture()) - page);
      this.#view = { ...this.#view, from: Math.min(last, Math.max(0, this.#view.from + by)) };
    }
    this.#draw();
  }

  #picture(): TopPicture {
    const status = this.#status;
    return {
      status,
      sample: topSample(this.#history.reference(status), status),
      view: this.#view,
      rates: (upstream) => this.#history.pointsOf(upstream).map(({ perSecond }) => perSecond),
      trouble: this.#trouble,
    };
  }

  #draw(): void {
    const terminal = this.#terminal;
    if (terminal === null || this.#closed) return;
    const style: TopStyle = {
      ...terminal.size(),
      colour: (this.#call.system.env["NO_COLOR"] ?? "") === "",
      unicode: isUnicode(this.#call),
    };
    // Each line is written over and the rest of it erased: nothing flickers.
    const lines = drawTop(this.#picture(), style).map((line) => `${line}\x1b[K`);
    terminal.write(`\x1b[H${lines.join("\r\n")}\x1b[J`);
  }
}
