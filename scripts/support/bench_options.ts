/** The command line of `npm run bench`. */

import { parseArgs } from "node:util";
import type { SluiceCommand } from "./bench_candidate.ts";
import { type LineUp, PEER_NAMES } from "./bench_lineup.ts";
import { QUICK, SCENARIOS, scenariosNamed, USUAL } from "./bench_scenarios.ts";
import type { Scenario } from "./bench_scenario.ts";

export interface BenchOptions extends LineUp {
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly seconds: number;
  /** See `Measuring.trial`. */
  readonly trial: boolean;
  /** Empty = the executable, unless there is a candidate of the name "sluice". */
  readonly sluices: readonly SluiceCommand[];
  readonly json: string | null;
  readonly markdown: string | null;
}

/** Groups of scenarios that run only when they are named. */
const ON_DEMAND = groupsOf(({ onDemand }) => onDemand);
/** Groups in which a Sluice is more than a gateway. */
const WITH_SOCKETS = groupsOf(({ part }) => part !== "gateway");

function groupsOf(wanted: (scenario: Scenario) => boolean): string[] {
  return [...new Set(SCENARIOS.filter(wanted).map(({ group }) => group))];
}

export const HELP = `npm run bench -- [options]

Compares dist/sluice with the proxies that this machine has, on CPU time, latency and memory.

  --quick               ${QUICK.join(", ")} for a second each against nginx and haproxy: 90 s
  --scenarios A,B       scenarios or groups of them (--list)     (default: all but ${ON_DEMAND.join(", ")})
  --rounds N            interleaved rounds                                         (default: 3)
  --seconds N           length of each load that goes by time, whole seconds       (default: 5)
  --peers A,B           of ${PEER_NAMES.join(", ")},
                        or none                                                    (default: all installed)
  --sluice [NAME=]CMD   a Sluice, without its arguments; repeatable                (default: dist/sluice)
  --sockets KIND        its --sockets in ${WITH_SOCKETS.join(", ")}                (default: epoll)
  --candidate NAME=CMD  also measure CMD as a gateway; {port} and {origin} (HOST:PORT) are filled in, {log} by flags
                        for an access log where one is wanted, and {listen}, which may stand in the place of
                        127.0.0.1:{port}, by flags for TLS as well; repeatable; NAME may be sluice
  --trial               hardly any load: whether all can be measured; the figures mean nothing
  --json FILE           write every sample
  --markdown FILE       write the report
  --list                print the scenarios and what they cost in time
`;

/** What was asked for, or text to print instead. @throws Error with what is wrong with the arguments */
export function readOptions(args: readonly string[]): BenchOptions | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      trial: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      scenarios: { type: "string" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      peers: { type: "string" },
      sluice: { type: "string", multiple: true, default: [] },
      sockets: { type: "string", default: "epoll" },
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
    if (peer === "none" || PEER_NAMES.includes(peer)) continue;
    throw new Error(`--peers ${peer}: use some of ${PEER_NAMES.join(",")}, or none`);
  }
  if (!["auto", "native", "epoll"].includes(values.sockets)) {
    throw new Error(`--sockets ${values.sockets}: use auto, native or epoll`);
  }
  const sluices = values.sluice.map(readSluice);
  const candidates = values.candidate.map(readCandidate);
  const taken = new Set<string>();
  for (const { name } of [...sluices, ...candidates]) {
    if (taken.has(name)) throw new Error(`${name}: two of one name`);
    taken.add(name);
  }
  return {
    scenarios: names === null ? USUAL : scenariosNamed(names),
    rounds: wholeNumber("--rounds", values.rounds ?? (values.trial ? "1" : "3")),
    seconds,
    trial: values.trial,
    peers,
    sluices,
    sockets: values.sockets,
    candidates,
    json: values.json ?? null,
    markdown: values.markdown ?? null,
  };
}

function readSluice(text: string): SluiceCommand {
  const [, name = "sluice", command = ""] = /^(?:([\w.-]+)=)?(.*)$/s.exec(text) ?? [];
  if (command.trim() === "") throw new Error(`--sluice ${text}: write NAME='COMMAND'`);
  if (PEER_NAMES.includes(name)) throw new Error(`--sluice ${name}=…: ${name} is a peer; use another name`);
  return { name, command };
}

function readCandidate(text: string): SluiceCommand {
  const at = text.indexOf("=");
  const [name, command] = [text.slice(0, at), text.slice(at + 1)];
  if (!/^[\w.-]+$/.test(name) || at < 1) throw new Error(`--candidate ${text}: write NAME='COMMAND'`);
  if (!/\{port\}|\{listen\}/.test(command) || !command.includes("{origin}")) {
    throw new Error(`--candidate ${name}: the command needs {port} or {listen}, and {origin}`);
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
    `${name.padEnd(16)}${group.padEnd(12)}${
      costSeconds(seconds).toFixed(1).padStart(5)
    } s a sample  ${title}\n`
  ).join("");
}
