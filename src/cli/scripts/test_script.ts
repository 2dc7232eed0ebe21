/** `sluice test FILE`: runs what a file exports as tests, with Sluices in which nothing leaves. */

import {
  type Clock,
  type Runtime,
  ScriptLoadFault,
  type System,
} from "../../../runtime/contract/contract.ts";
import { scriptApi } from "../../script/script_api.ts";
import { EXIT, type ExitCode } from "../../process/shared/exit_code.ts";
import { print, printError, printProblems } from "../../serve/output.ts";
import type { Arguments } from "../arguments.ts";
import { DryApi } from "./dry_api.ts";

/** Longest time for one test. */
const PATIENCE_MS = 30_000;

interface Test {
  readonly name: string;
  readonly run: () => unknown;
}

interface Outcome {
  readonly name: string;
  /** Null = it has passed. */
  readonly words: string | null;
  readonly places: readonly string[];
}

export async function testScript(runtime: Runtime, system: System, args: Arguments): Promise<ExitCode> {
  const file = args.operands[0] ?? "";
  const tap = args.own.has("tap");
  const { scripts } = system;
  const dry = new DryApi(runtime, system, file);
  const say = (words: string) => print(system, tap ? words.replace(/^/gm, "# ") + "\n" : `${words}\n`);
  /** What a test leaves running fails it, or the last one. */
  const strays: unknown[] = [];
  const api = scriptApi({
    requests: null,
    worker: { index: 0, count: 1 },
    setUpstream: () => Promise.reject(new Error("setUpstream: in a script only")),
    watchFile: () => Promise.reject(new Error("watchFile: in a script only")),
    log: (words) => say(words),
  });
  try {
    const module = await scripts.load(file, {
      // The cast: functions and values by name.
      sluice: api as unknown as Readonly<Record<string, unknown>>,
      "sluice/test": dry.exports,
    }, {
      failed: (_phase, error) => void strays.push(error),
      printed: (_level, words) => say(words),
      guard: null,
    });
    const tests = testsOf(module.exports);
    if (tests.length === 0) {
      printError(
        system,
        `sluice test: ${file} exports no function whose name begins with test_, and no default one\n`,
      );
      return EXIT.usage;
    }
    if (tap) print(system, `TAP version 13\n1..${tests.length}\n`);
    let failed = 0;
    for (const [at, test] of tests.entries()) {
      const outcome = await runOne(runtime.clock, system, test, strays);
      if (outcome.words !== null) failed++;
      print(system, tap ? tapText(outcome, at + 1) : plainText(outcome));
      await dry.close();
    }
    module.retire();
    if (!tap) print(system, `${tests.length - failed} passed, ${failed} failed\n`);
    return failed === 0 ? EXIT.done : EXIT.failed;
  } catch (error) {
    if (!(error instanceof ScriptLoadFault)) throw error;
    printProblems(system, error.message.split("\n"));
    return EXIT.usage;
  }
}

function testsOf(exports: Readonly<Record<string, unknown>>): readonly Test[] {
  const tests: Test[] = [];
  for (const [name, value] of Object.entries(exports)) {
    if (typeof value !== "function" || !(name === "default" || name.startsWith("test_"))) continue;
    const words = name === "default" ? "default" : name.slice("test_".length).replaceAll("_", " ");
    // The cast: it may take anything, and gets nothing.
    tests.push({ name: words, run: value as () => unknown });
  }
  return tests;
}

async function runOne(clock: Clock, system: System, test: Test, strays: unknown[]): Promise<Outcome> {
  const late = Promise.withResolvers<never>();
  const timer = clock.setTimer(
    PATIENCE_MS,
    () => late.reject(new Error(`did not come to an end within ${PATIENCE_MS / 1000} s`)),
  );
  try {
    await Promise.race([(async () => await test.run())(), late.promise]);
    const [stray] = strays.splice(0);
    if (stray !== undefined) throw stray;
    return { name: test.name, words: null, places: [] };
  } catch (error) {
    if (error instanceof ScriptLoadFault) return { name: test.name, words: error.message, places: [] };
    const { words, places } = system.scripts.describe(error);
    return { name: test.name, words, places };
  } finally {
    timer.cancel();
  }
}

function plainText({ name, words, places }: Outcome): string {
  if (words === null) return `ok    ${name}\n`;
  return `FAIL  ${name}: ${words}\n${places.map((place) => `      ${place}\n`).join("")}`;
}

/** TAP 13, with what is wrong as YAML, for which JSON is good. */
function tapText({ name, words, places }: Outcome, number: number): string {
  const plain = name.replaceAll("#", "\\#");
  if (words === null) return `ok ${number} - ${plain}\n`;
  const at = places[0] === undefined ? "" : `  at: ${JSON.stringify(places[0])}\n`;
  return `not ok ${number} - ${plain}\n  ---\n  message: ${JSON.stringify(words)}\n${at}  ...\n`;
}
