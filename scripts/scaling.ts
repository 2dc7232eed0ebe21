/**
 * Measures how the cost of Sluice grows with what there is of everything, and draws lines through it:
 *
 *     bun scripts/scaling.ts --write     all of it, into docs/scaling.md
 *     bun scripts/scaling.ts --help
 *
 * Sluice has one core to itself, load and origin share another, everything is on loopback. What counts is
 * CPU time and memory of Sluice, read from /proc: Linux only. One file of descriptors for each connection is
 * needed on both sides (`ulimit -n`, 16,000 for the largest size).
 *
 * Exit code 1 when it could not measure, 2 for bad arguments.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { allowedCores, loadAverage } from "./support/bench_proc.ts";
import { Workspace } from "./support/bench_workspace.ts";
import { root } from "./support/child.ts";
import { AXES, type Axis, Ground } from "./support/scaling_axes.ts";
import type { Point } from "./support/scaling_fit.ts";
import { startOrigin } from "./support/scaling_origin.ts";
import { replaceFigures, report, type Row } from "./support/scaling_report.ts";

const PAGE = join(root, "docs/scaling.md");

const HELP = `bun scripts/scaling.ts [options]

  --only A,B      of ${AXES.map(({ name }) => name).join(", ")}
  --sluice CMD    command line to measure                                   (default: dist/sluice)
  --rounds N      rounds of 10,000 requests, of which the least counts      (default: 3)
  --quick         two small sizes of each, a few requests: to see that it works
  --write         put the figures into docs/scaling.md
`;

interface Options {
  readonly axes: readonly Axis[];
  readonly sluice: string;
  readonly rounds: number;
  readonly quick: boolean;
  readonly write: boolean;
}

/** What was asked for, or text to print instead. @throws Error with what is wrong with the arguments */
function readOptions(args: readonly string[]): Options | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      sluice: { type: "string" },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return HELP;
  const names = values.only?.split(",");
  for (const name of names ?? []) {
    if (!AXES.some((axis) => axis.name === name)) throw new Error(`--only ${name}: there is no such thing`);
  }
  const rounds = Number(values.rounds ?? (values.quick ? "1" : "3"));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20) throw new Error("--rounds: use 1 to 20");
  if (values.write && (values.quick || names !== undefined)) {
    throw new Error("--write: only the figures of a complete run go into the page");
  }
  return {
    axes: names === undefined ? AXES : AXES.filter(({ name }) => names.includes(name)),
    sluice: values.sluice ?? `'${join(root, "dist/sluice")}'`,
    rounds,
    quick: values.quick,
    write: values.write,
  };
}

function say(text: string): void {
  console.error(`scaling: ${text}`);
}

async function measure(space: Workspace, options: Options): Promise<Row[]> {
  const originPort = await space.freePort();
  const socket = join(space.folder, "origin");
  const origins = [await startOrigin(originPort), await startOrigin(socket)];
  const ground = new Ground(space, options.sluice, originPort, socket, options.quick, options.rounds);
  const rows: Row[] = [];
  for (const axis of options.axes) {
    const points: Point[][] = axis.metrics.map(() => []);
    for (const size of options.quick ? axis.quick : axis.sizes) {
      const sample = await axis.measure(ground, size).catch((error: Error) => {
        throw new Error(`${axis.name}, ${size}: ${error.message}`);
      });
      sample.values.forEach((y, i) => points[i]?.push({ x: sample.size ?? size, y }));
      const said = axis.metrics.map(({ name, unit }, i) =>
        `${name} ${(sample.values[i] ?? NaN).toFixed(2)} ${unit}`
      );
      say(`${axis.name} ${size}: ${said.join(", ")}`);
    }
    rows.push({ axis, points });
  }
  for (const origin of origins) origin.close();
  return rows;
}

/** One paragraph without which the figures mean little. */
function circumstances(space: Workspace, { rounds, quick }: Options, cores: number, load: string): string {
  const model = /^model name\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1] ??
    "unknown processor";
  const day = new Date().toISOString().slice(0, 10);
  return `${day}: ${model}, ${cores} core${
    cores === 1 ? "" : "s"
  }, Linux ${release()}, load average before: ${load}. ` +
    `The least of ${rounds} round${rounds === 1 ? "" : "s"}` +
    (quick ? ", too short to mean anything." : " of 10,000 requests, fewer where they are large.") +
    (space.placementProblem === null ? "" : ` Not comparable: ${space.placementProblem}.`);
}

let options: Options | string;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  say((error as Error).message);
  process.exit(2);
}
if (typeof options === "string") {
  console.log(options);
  process.exit(0);
}
if (process.platform !== "linux") {
  say("reads /proc: Linux only");
  process.exit(1);
}
if (options.sluice.includes("dist/sluice") && !existsSync(join(root, "dist/sluice"))) {
  say("dist/sluice is missing: npm run build");
  process.exit(1);
}
const load = loadAverage();
const cores = allowedCores().length;
const space = new Workspace();
let code = 0;
const stop = (): void => {
  void space.close().then(() => process.exit(1));
};
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
try {
  const text = report(await measure(space, options), circumstances(space, options, cores, load));
  console.log(text);
  if (options.write) writeFileSync(PAGE, replaceFigures(readFileSync(PAGE, "utf8"), text));
} catch (error) {
  say((error as Error).message);
  code = 1;
}
await space.close();
process.exit(code);
