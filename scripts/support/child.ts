/** Runs a program to its end and keeps what it printed. */

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

/** Root of the repository, with a slash at the end. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

export interface ChildResult {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  /** Standard output and error, in the order they came. */
  readonly output: string;
  readonly ms: number;
  /** It ran longer than allowed and was killed with all its children. */
  readonly timedOut: boolean;
}

export interface ChildOptions {
  readonly cwd?: string;
  /** Added to our environment; undefined removes a name. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Milliseconds until it is killed. */
  readonly timeoutMs?: number;
}

const running = new Set<ChildProcess>();

/** Path of a program that a development dependency brought along: `bun`, `deno`, `node`, `tsc`. */
export function tool(name: string): string {
  return join(root, "node_modules", ".bin", name);
}

/** Never rejects: a program that cannot be started has code 127 and says why in `output`. */
export function runChild(
  program: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<ChildResult> {
  const { cwd = root, env = {}, timeoutMs = 600_000 } = options;
  const started = performance.now();
  return new Promise((resolve) => {
    let output = "";
    let timedOut = false;
    // A process group of its own: when time is up its children go with it.
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    running.add(child);
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child);
    }, timeoutMs);
    const done = (code: number | null): void => {
      clearTimeout(timer);
      running.delete(child);
      if (timedOut) output += `\nkilled: still running after ${Math.round(timeoutMs / 1000)} s\n`;
      resolve({ code, output, ms: performance.now() - started, timedOut });
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => output += text);
    }
    child.on("error", (error) => {
      output += `${program}: ${error.message}\n`;
      done(127);
    });
    child.on("close", done);
  });
}

/** Ends everything that is still running; for a program that is being interrupted. */
export function killRunning(): void {
  for (const child of running) killGroup(child);
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}
