/** Who takes part in which scenarios. */

import { candidate, gatewaySluice, type SluiceCommand } from "./bench_candidate.ts";
import { type Contender, DIRECT, type Part, PEERS } from "./bench_contender.ts";
import { FORWARD_PEERS, forwardSluice } from "./bench_forward_contenders.ts";
import { ANSWER_PEERS } from "./bench_answer_contenders.ts";
import { answeringSluices, decidingSluices, SCRIPT_PEERS } from "./bench_script_contenders.ts";
import { installed } from "./bench_workspace.ts";

const PEERS_OF: Readonly<Record<Part, readonly Contender[]>> = {
  gateway: PEERS,
  forward: FORWARD_PEERS,
  answer: ANSWER_PEERS,
  script: SCRIPT_PEERS,
};

/** Names of all peers. */
export const PEER_NAMES: readonly string[] = [
  ...new Set(Object.values(PEERS_OF).flatMap((peers) => peers.map(({ name }) => name))),
];

export interface LineUp {
  readonly sluices: readonly SluiceCommand[];
  /** For `--sockets`, where it is given: everywhere but before an origin, where Sluice has its default. */
  readonly sockets: string;
  /** Commands of their own, which are gateways and nothing else. */
  readonly candidates: readonly SluiceCommand[];
  /** Null = all that are installed. */
  readonly peers: readonly string[] | null;
}

/** @param missing is told why a peer is left out */
export function contendersFor(part: Part, line: LineUp, missing: (why: string) => void): Contender[] {
  const { sluices, sockets, candidates } = line;
  const peers = PEERS_OF[part].filter(({ name }) => line.peers === null || line.peers.includes(name))
    .filter((peer) => {
      const why = absence(peer);
      if (why !== null) missing(`${peer.name}: ${why}: left out`);
      return why === null;
    });
  switch (part) {
    case "gateway":
      return [
        DIRECT,
        ...peers,
        ...sluices.map(gatewaySluice),
        ...candidates.map(({ name, command }) => candidate(name, command)),
      ];
    case "forward":
      return [...peers, ...sluices.map((one) => forwardSluice(one, sockets))];
    case "answer":
      // What others are compared with comes first of the subjects.
      return [
        ...peers.filter(({ kind }) => kind === "peer"),
        ...sluices.flatMap((one) => answeringSluices(one, sockets)),
        ...peers.filter(({ kind }) => kind === "subject"),
      ];
    case "script":
      return [...peers, ...sluices.flatMap((one) => decidingSluices(one, sockets))];
  }
}

function absence({ program, missing }: Contender): string | null {
  if (program !== undefined && !installed(program)) return `${program} is not installed`;
  return missing?.() ?? null;
}
