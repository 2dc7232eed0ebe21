/**
 * Changes Sluice thousands of times, then serves for minutes while everything changes, and looks at what is left:
 *
 *     npm run soak                                    all of it, over both kinds of sockets: half an hour
 *     npm run soak -- --only load --seconds 60
 *     npm run soak -- --help
 *
 * Nothing may be lost or sent twice, no limit exceeded, and memory, descriptors and processes must stay what they are. Reads
 * /proc: Linux only. Exit code 1 when something is wrong, 2 for bad arguments.
 */

import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { root } from "./support/child.ts";
import { CHANGES, soakChanges } from "./support/soak_changes.ts";
import { PATIENT_DRAIN_SECONDS, soakOperators } from "./support/soak_operators.ts";
import type { SoakOptions } from "./support/soak_scene.ts";
import { soakServing } from "./support/soak_serving.ts";

const HELP = `bun scripts/soak.ts [options]

  --only PART       changes (${
  Object.entries(CHANGES).map(([name, times]) => `${times} × ${name}`).join(", ")
}),
                    load, or operators (two at once, under load)
  --seconds N       of load over each kind of sockets                       (default: 600)
  --rounds N        of each operator                                        (default: 200)
  --drain N         seconds that a Sluice which is replaced has under operators (default: ${PATIENT_DRAIN_SECONDS})
  --share N         of the numbers of changes, 0 to 1                       (default: 1)
  --sockets KIND    native or epoll                                         (default: both, one after the other)
  --workers N       (default: 1)
  --scripted        a script that decides at random stands in front of all requests
  --seed N          for the order of what happens under load                (default: by chance)
  --sluice PATH     executable                                              (default: dist/sluice)
`;

const PARTS: readonly string[] = ["changes", "load", "operators"];

interface Arguments {
  readonly parts: readonly string[];
  readonly kinds: readonly SoakOptions["sockets"][];
  readonly seconds: number;
  readonly share: number;
  readonly rounds: number;
  readonly drain: number;
  readonly workers: number;
  readonly scripted: boolean;
  readonly seed: number;
  readonly program: string;
}

/** What was asked for, or text to print instead. @throws Error with what is wrong with the arguments */
function readArguments(args: readonly string[]): Arguments | string {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: text,
      seconds: text,
      share: text,
      rounds: text,
      drain: text,
      sockets: text,
      workers: text,
      seed: text,
      sluice: text,
      scripted: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return HELP;
  const number = (
    name: "seconds" | "share" | "rounds" | "drain" | "workers" | "seed",
    otherwise: number,
    least: number,
    most: number,
  ) => {
    const given = Number(values[name] ?? otherwise);
    if (!(given >= least && given <= most)) throw new Error(`--${name}: use ${least} to ${most}`);
    return given;
  };
  const { only, sockets } = values;
  if (only !== undefined && !PARTS.includes(only)) throw new Error(`--only: ${PARTS.join(", ")}`);
  if (sockets !== undefined && sockets !== "native" && sockets !== "epoll") {
    throw new Error("--sockets: native or epoll");
  }
  return {
    parts: only === undefined ? PARTS : [only],
    kinds: sockets === undefined ? ["native", "epoll"] : [sockets],
    seconds: number("seconds", 600, 5, 86_400),
    share: number("share", 1, 0.001, 1),
    rounds: number("rounds", 200, 1, 100_000),
    drain: number("drain", PATIENT_DRAIN_SECONDS, 1, 3600),
    workers: number("workers", 1, 1, 64),
    scripted: values.scripted,
    seed: number("seed", Math.floor(Math.random() * 2 ** 31), 0, 2 ** 31),
    program: values.sluice ?? join(root, "dist/sluice"),
  };
}

async function soak(
  { parts, kinds, seconds, share, rounds, drain, workers, scripted, seed, program }: Arguments,
): Promise<boolean> {
  let well = true;
  for (const sockets of kinds) {
    for (const part of parts) {
      const name = `${part}, ${sockets} sockets`;
      const say = (line: string) => console.log(`   ${line}`);
      const options = { program, sockets, workers, scripted, seed, say };
      try {
        if (part === "changes") await soakChanges(options, share);
        else if (part === "load") await soakServing(options, seconds);
        else await soakOperators(options, rounds, drain);
        console.log(`ok ${name}, seed ${seed}`);
      } catch (error) {
        well = false;
        console.log(`FAIL ${name}, seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  return well;
}

let asked: Arguments | string;
try {
  asked = readArguments(process.argv.slice(2));
} catch (error) {
  console.error(`soak: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(2);
}
if (typeof asked === "string") console.log(asked);
else process.exit(await soak(asked) ? 0 : 1);
