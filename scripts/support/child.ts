/** Runs a program to its end and keeps what it printed. */

import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
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
  /** It printed nothing for longer than allowed and was killed with all its children. */
  readonly stalled: boolean;
  /** Command lines of the processes that ran when it was killed; empty where the platform does not tell. */
  readonly wasRunning: readonly string[];
}

export interface ChildOptions {
  readonly cwd?: string;
  /** Added to our environment; undefined removes a name. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /**
   * Milliseconds without a byte of output after which it is killed. There is no limit on the whole run: a busy
   * machine makes a run slow, only one that hangs is silent.
   */
  readonly silenceMs?: number;
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
  const { cwd = root, env = {}, silenceMs = 600_000 } = options;
  const started = performance.now();
  return new Promise((resolve) => {
    let output = "";
    let stalled = false;
    let wasRunning: readonly string[] = [];
    // A process group of its own: when time is up its children go with it.
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    running.add(child);
    const stall = (): void => {
      stalled = true;
      wasRunning = commandsOfGroup(child.pid);
      killGroup(child);
    };
    let timer = setTimeout(stall, silenceMs);
    const heard = (text: string): void => {
      output += text;
      clearTimeout(timer);
      if (!stalled) timer = setTimeout(stall, silenceMs);
    };
    const done = (code: number | null): void => {
      clearTimeout(timer);
      running.delete(child);
      if (stalled) {
        output += `\nkilled: no output for ${Math.round(silenceMs / 1000)} s`;
        output += `${wasRunning.map((command) => `\n- running: ${command}`).join("")}\n`;
      }
      resolve({ code, output, ms: performance.now() - started, stalled, wasRunning });
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", heard);
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

/** The command lines of all processes in a process group (proc_pid_stat(5)), on Linux. */
function commandsOfGroup(group: number | undefined): readonly string[] {
  if (process.platform !== "linux" || group === undefined) return [];
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      // `pid (name) state parent group`; the name may contain anything, a parenthesis too.
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2]) !== group) return [];
      return [readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim()];
    } catch {
      return [];
    }
  });
}
