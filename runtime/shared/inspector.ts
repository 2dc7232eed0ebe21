/**
 * Deno (since 2.9.2) answers SIGUSR1 with a debugger on 127.0.0.1:9229, whether the program handles the signal
 * or not, and no flag forbids it. Every user of the machine could take our process over through that.
 */
import process from "node:process";
import { setTimeout } from "node:timers";

/** When to look after a signal: the debugger opens within a turn or two, before or after our handler. */
const LOOKS_MS = [0, 5, 50, 500, 2_000];

/** The part of node:inspector used here. */
interface Inspector {
  url(): string | undefined;
  close(): void;
}

/** Closes the debugger that a SIGUSR1 opens; one that was open before stays. Does nothing on other runtimes. */
export function keepInspectorClosed(): void {
  if (!("Deno" in globalThis)) return;
  let inspector: Inspector | null = null;
  let askedFor = false;
  const close = () => {
    if (!askedFor && inspector?.url() !== undefined) inspector.close();
  };
  import("node:inspector").then((module) => {
    inspector = module;
    askedFor = module.url() !== undefined;
  }, () => {});
  process.on("SIGUSR1", () => {
    for (const ms of LOOKS_MS) setTimeout(close, ms).unref();
  });
}
