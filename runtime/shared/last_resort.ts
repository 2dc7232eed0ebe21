/**
 * What happens to uncaught exceptions. They are bugs of ours, and a bug in the handling of one
 * connection must not end the others: once the process listens it reports them and goes on. Before that
 * it exits, since a half-started proxy is of no use. What a script of the user's throws is no bug of ours, and is told to it.
 */
import process from "node:process";
import type { Runtime } from "../contract/contract.ts";
import { exitNow } from "./process_end.ts";
import { tellOwner } from "./script_generation.ts";
import { openTextSink } from "./text_sink.ts";

/** Reports written per minute; an error that repeats must not fill a disk. */
const MAX_REPORTS_PER_MINUTE = 20;
const MINUTE_MS = 60_000;
/** Waiting for a slow reader of standard error. Bytes. */
const MAX_BUFFERED_BYTES = 64 * 1024;

export interface LastResort {
  /** Errors reported so far, those left out of the log included. */
  readonly count: number;
  /** Reports an error and goes on. */
  readonly report: (error: unknown) => void;
  /** Reports an error and ends the process with code 1. */
  readonly fatal: (error: unknown) => never;
  /** Tells that `runtime` is the one in use: with its first listener the start-up is over. */
  watch(runtime: Runtime): Runtime;
}

/** Installs the handlers, once per process. */
export function installLastResort(): LastResort {
  const log = openTextSink(2, MAX_BUFFERED_BYTES);
  let count = 0;
  let started = false;
  let minuteBegan = 0;
  let reportsThisMinute = 0;
  let unreported = 0;

  function report(error: unknown): void {
    count++;
    const now = performance.now();
    if (now - minuteBegan >= MINUTE_MS) {
      minuteBegan = now;
      reportsThisMinute = 0;
    }
    if (++reportsThisMinute > MAX_REPORTS_PER_MINUTE) {
      unreported++;
      return;
    }
    const more = unreported === 0 ? "" : `, ${unreported} of them not shown`;
    unreported = 0;
    log.write(`sluice: internal error (${count} so far${more}): ${describe(error)}\n`);
  }

  function fatal(error: unknown): never {
    log.write(`sluice: internal error: ${describe(error)}\n`);
    log.flushNow();
    exitNow(1);
  }

  const uncaught = (phase: "promise" | "event") => (error: unknown): void => {
    // A script's fault is told as one, and ends nothing.
    if (tellOwner(phase, error)) return;
    if (started) report(error);
    else fatal(error);
  };
  process.on("uncaughtException", uncaught("event"));
  process.on("unhandledRejection", uncaught("promise"));

  return {
    get count() {
      return count;
    },
    report,
    fatal,
    watch(runtime) {
      const listen = runtime.listen.bind(runtime);
      runtime.listen = async (options, events) => {
        const listener = await listen(options, events);
        started = true;
        return listener;
      };
      const reserve = runtime.reserve.bind(runtime);
      runtime.reserve = async (options) => {
        const listener = await reserve(options);
        started = true;
        return listener;
      };
      return runtime;
    },
  };
}

/** The stack, and what caused it. Never throws, whatever was thrown. */
function describe(error: unknown): string {
  try {
    if (!(error instanceof Error)) return `${String(error)} (thrown, not an Error)`;
    const cause = error.cause === undefined ? "" : `\ncaused by: ${describe(error.cause)}`;
    return `${error.stack ?? `${error.name}: ${error.message}`}${cause}`;
  } catch {
    return "an error that cannot be shown";
  }
}
