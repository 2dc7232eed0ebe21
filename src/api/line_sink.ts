/** The log of a gate: lines go to a function of the program, or nowhere. Nothing is printed. */

import type { ScriptLoader, System, TextSink } from "../../runtime/contract/contract.ts";

export type LineLog = ((line: string) => void) | undefined;

export class LineSink implements TextSink {
  /** What it throws is dropped: a log must not stop what it tells of. */
  log: LineLog = undefined;
  readonly dropped = 0;
  readonly dropCause = "";
  readonly wholeLineBytes = Infinity;
  #rest = "";

  write(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.log === undefined) return;
    for (const line of lines) {
      try {
        this.log(line);
      } catch {
        // See `log`.
      }
    }
  }

  reopen(): Promise<void> {
    return Promise.resolve();
  }

  flush(): Promise<boolean> {
    return Promise.resolve(true);
  }

  flushNow(): void {}
}

/**
 * The platform's process, with `sink` in the place of its standard output and error, and `scripts` in that of files. Members are read when they are asked
 * for, not before: on Deno some need a permission.
 */
export function programSystem(system: System, sink: TextSink, scripts: ScriptLoader): System {
  const openSink: System["openSink"] = (target, ...rest) =>
    typeof target === "number" ? Promise.resolve(sink) : system.openSink(target, ...rest);
  return new Proxy(system, {
    get(target, key) {
      if (key === "openSink") return openSink;
      if (key === "scripts") return scripts;
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
