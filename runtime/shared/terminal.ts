/** The terminal over `node:` modules, which all three runtimes have. */
import * as fs from "node:fs";
import process from "node:process";
import { ttyModule } from "./lazy_module.ts";
import type { Terminal, TerminalEvents } from "../contract/contract.ts";

/** Where its size cannot be found out. */
const USUAL = { columns: 80, rows: 24 } as const;

/**
 * Takes the terminal over; null when standard input or output is none.
 *
 * @param leave written when it is given back
 */
export function openTerminal(leave: string, events: TerminalEvents): Terminal | null {
  const { isatty } = ttyModule();
  if (!isatty(0) || !isatty(1)) return null;
  const { stdin, stdout } = process;
  let open = true;
  const key = (bytes: Uint8Array) => events.key(new TextDecoder().decode(bytes));
  const resized = () => events.resized();
  const write = (text: string) => {
    try {
      fs.writeSync(1, text);
    } catch {
      // The terminal is gone, or takes nothing just now: the next picture replaces this one.
    }
  };
  const close = () => {
    if (!open) return;
    open = false;
    write(leave);
    try {
      stdin.setRawMode(false);
    } catch {
      // It is gone.
    }
    stdin.off("data", key);
    stdin.pause();
    process.off("SIGWINCH", resized);
    process.off("exit", close);
  };
  stdin.setRawMode(true);
  stdin.on("data", key);
  stdin.resume();
  process.on("SIGWINCH", resized);
  // Also after an uncaught exception.
  process.on("exit", close);
  return {
    size() {
      try {
        const [columns, rows] = stdout.getWindowSize();
        if (columns > 0 && rows > 0) return { columns, rows };
      } catch {
        // It does not say.
      }
      return USUAL;
    },
    write,
    close,
  };
}
