/** `sluice demo`: an embedded backend that keeps going away, Sluice in front of it, and what to try. */

import type { Address, Runtime, System } from "../../../runtime/contract/contract.ts";
import { printAddress, reachable } from "../../config/values/address.ts";
import type { Flags } from "../../config/options/layer.ts";
import { parseDuration, printDuration } from "../../config/values/quantity.ts";
import { envName } from "../../config/options/option.ts";
import { formatProblem } from "../../config/values/problem.ts";
import { DemoBackend } from "./demo_backend.ts";
import { EXIT } from "../../process/shared/exit_code.ts";
import { print, printError, printProblems, printWarnings } from "../../serve/output.ts";
import { readConfig } from "../../serve/read_config.ts";
import type { Serve } from "../serve.ts";

const DEFAULT_AWAY = "50ms";
const MAX_AWAY_MS = 60_000;

/** Runs until stopped; resolves with the exit code. */
export async function demo(
  runtime: Runtime,
  system: System,
  flags: Flags,
  away: string | undefined,
  serve: Serve,
): Promise<number> {
  for (const flag of ["to", "config"]) {
    if (flags[flag] === undefined) continue;
    printError(system, `--${flag}: the demo brings its own backend: leave it out, or run without "demo"\n`);
    return EXIT.usage;
  }
  const parsed = parseDuration(away ?? DEFAULT_AWAY);
  if (!parsed.ok || parsed.value > MAX_AWAY_MS) {
    const message = parsed.ok
      ? `must be 0 to ${printDuration(MAX_AWAY_MS)}`
      : parsed.faults[0]?.message ?? "";
    printError(system, `--away: ${message}\n`);
    return EXIT.usage;
  }
  const backend = await startBackend(runtime, system, parsed.value);
  if (backend === null) return EXIT.bind;
  try {
    const own = { ...defaultFlags(system), ...flags, to: [printAddress(backend.address)] };
    const loaded = await readConfig(system, own);
    if (!loaded.ok) {
      printProblems(system, loaded.problems.map(formatProblem));
      return EXIT.usage;
    }
    printWarnings(system, loaded.warnings);
    return await serve(runtime, system, loaded.config, {
      onReady: (listeners) => print(system, demoText(listeners, backend.address, parsed.value)),
    });
  } finally {
    await backend.stop();
  }
}

/** Only this machine may play, and a backend that goes away all the time is no news. */
const DEMO_DEFAULTS = { "listen": "127.0.0.1:8080", "log-level": "error" } as const;

/** What the demo has other defaults for, where the environment says nothing. */
function defaultFlags(system: System): Flags {
  const flags: Record<string, readonly string[]> = {};
  for (const [name, value] of Object.entries(DEMO_DEFAULTS)) {
    if ((system.env[envName(name.replace("-", "_"))] ?? "") === "") flags[name] = [value];
  }
  return flags;
}

async function startBackend(runtime: Runtime, system: System, awayMs: number): Promise<DemoBackend | null> {
  try {
    return await DemoBackend.start(runtime, { awayMs });
  } catch (error) {
    printError(
      system,
      `the demo's backend cannot listen: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return null;
  }
}

/** What runs where, and what to try. */
function demoText(listeners: readonly Address[], backend: Address, awayMs: number): string {
  const gateway = listeners.find((address) => address.kind === "tcp");
  const url = gateway === undefined ? "http://localhost/" : `http://${printAddress(reachable(gateway))}/`;
  const direct = `http://${printAddress(backend)}/`;
  const tries = [
    [`curl ${url}`, "one request"],
    [`ab -n 100 -c 10 ${url}`, "100 requests, 10 at a time: none fails"],
    [`ab -n 100 -c 10 ${direct}`, "the same without Sluice: fails at once"],
  ] as const;
  const width = Math.max(...tries.map(([command]) => command.length));
  return `A backend runs on ${printAddress(backend)}. It takes one connection, stops listening, answers, and
listens again ${printDuration(awayMs)} later. Sluice runs in front of it on ${url}

In another terminal, try
${tries.map(([command, meaning]) => `  ${command.padEnd(width)}   ${meaning}\n`).join("")}
Ctrl-C stops both.
`;
}
