/** The command line of `npm run bench`. */

import { parseArgs } from "node:util";
import { PEERS } from "./bench_contender.ts";
import { QUICK, SCENARIOS, scenariosNamed } from "./bench_scenarios.ts";
import type { Scenario } from "./bench_scenario.ts";

export interface BenchOptions {
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly seconds: number;
  /** Null = all that are installed. */
  readonly peers: readonly string[] | null;
  readonly candidates: readonly { readonly name: string; readonly command: string }[];
  readonly json: string | null;
  readonly markdown: string | null;
}

export const HELP = `npm run bench -- [options]

Compares dist/sluice with the proxies that this machine has, on CPU time, latency and memory.

  --quick               ${QUICK.join(", ")} for a second each against nginx and haproxy: 90 s
  --scenarios A,B       scenarios or groups of them (--list)                       (default: all)
  --rounds N            interleaved rounds                                         (default: 3)
  --seconds N           length of each load that goes by time, whole seconds       (default: 5)
  --peers A,B           of ${PEERS.map(({ name }) => name).join(", ")}, or none    (default: all installed)
  --candidate NAME=CMD  also measure CMD, in which {port} and {origin} (HOST:PORT) are filled in, and {log} by
                        flags for an access log where one is wanted; repeatable; NAME may be sluice
  --json FILE           write every sample
  --markdown FILE       write the report
  --list                print the scenarios and what they cost in time
`;

/** What was asked for, or text to print instead. @throws Error with what is wrong with the arguments */
export function readOptions(args: readonly string[]): BenchOptions | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      scenarios: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      peers: { type: "string" },
      candidate: { type: "string", multiple: true, default: [] },
      json: { type: "string" },
      markdown: { type: "string" },
      list: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return HELP;
  const seconds = wholeNumber("--seconds", values.seconds ?? (values.quick ? "1" : "5"));
  if (values.list) return list(seconds);
  const names = values.scenarios?.split(",") ?? (values.quick ? QUICK : null);
  const peers = values.peers?.split(",") ?? (values.quick ? ["nginx", "haproxy"] : null);
  for (const peer of peers ?? []) {
    if (peer === "none" || PEERS.some(({ name }) => name === peer)) continue;
    throw new Error(`--peers ${peer}: use some of ${PEERS.map(({ name }) => name).join(",")}, or none`);
  }
  return {
    scenarios: names === null ? SCENARIOS : scenariosNamed(names),
    rounds: wholeNumber("--rounds", values.rounds ?? "3"),
    seconds,
    peers,
    candidates: values.candidate.map(readCandidate),
    json: values.json ?? null,
    markdown: values.markdown ?? null,
  };
}

function readCandidate(text: string): { name: string; command: string } {
  const at = text.indexOf("=");
  const [name, command] = [text.slice(0, at), text.slice(at + 1)];
  if (!/^[\w.-]+$/.test(name) || at < 1) throw new Error(`--candidate ${text}: write NAME='COMMAND'`);
  if (!command.includes("{port}") || !command.includes("{origin}")) {
    throw new Error(`--candidate ${name}: the command needs {port} and {origin}`);
  }
  return { name, command };
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 600) {
    throw new Error(`${option} ${text}: use 1 to 600`);
  }
  return value;
}

function list(seconds: number): string {
  return SCENARIOS.map(({ name, group, title, costSeconds }) =>
    `${name.padEnd(12)}${group.padEnd(8)}${
      costSeconds(seconds).toFixed(1).padStart(5)
    } s a sample  ${title}\n`
  ).join("");
}
