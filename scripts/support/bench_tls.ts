/** Scenarios of gateways whose clients speak TLS 1.3. All show the same certificate; none speaks TLS to the origin. */

import { answerOf } from "./bench_answer.ts";
import { BODY_BYTES } from "./bench_bodies.ts";
import type { Entrant } from "./bench_entrant.ts";
import { checkHandshakes } from "./bench_handshakes.ts";
import { bodies, small } from "./bench_loads.ts";
import type { Sample } from "./bench_metric.ts";
import { measured, type Measuring, type Scenario } from "./bench_scenario.ts";
import { ab } from "./bench_tools.ts";
import type { Workspace } from "./bench_workspace.ts";

const OF_TLS = { group: "tls", tls: true, onDemand: true, direct: false } as const;
/** Requests for each second that a load should last: ab cannot go by time and say what failed. */
const HANDSHAKES_PER_SECOND = 1000;
const CLOSE_CONNECTIONS = 64;

/** The tool is looked at once per run, not before each load. */
const checked = new WeakMap<Workspace, Promise<void>>();

async function close(measuring: Measuring, entrant: Entrant): Promise<Sample> {
  const { space, seconds } = measuring;
  const { port, certificate } = entrant;
  const check = checked.get(space) ?? checkHandshakes(space);
  checked.set(space, check);
  await check;
  const asking = { certificate, fields: ["Connection: close"] };
  await answerOf(port, "/small", asking);
  const sample = await measured(measuring, entrant, () =>
    ab(space, port, {
      path: "/small",
      connections: CLOSE_CONNECTIONS,
      requests: Math.ceil(HANDSHAKES_PER_SECOND * seconds),
      keepAlive: false,
      bodyBytes: BODY_BYTES["/small"],
      tls: true,
    }, seconds));
  await answerOf(port, "/small", asking);
  return sample;
}

const tls64: Scenario = {
  ...small("tls64", "small answers, 64 connections, TLS 1.3", { path: "/small", connections: 64 }),
  ...OF_TLS,
  tools: ["wrk", "openssl"],
};

export const TLS: readonly Scenario[] = [
  tls64,
  {
    ...tls64,
    name: "tlsclose",
    title: `a connection and a full handshake for each request, ${CLOSE_CONNECTIONS} at a time`,
    tools: ["ab", "openssl"],
    costSeconds: (seconds) => 1.5 * seconds + 0.3,
    run: close,
  },
  {
    ...bodies("tlsk64", "64 KiB answers, 16 connections, TLS 1.3", BODY_BYTES["/64k"], {
      path: "/64k",
      connections: 16,
    }),
    ...OF_TLS,
    tools: ["wrk", "openssl"],
  },
];
