/** Finds the control socket of the Sluice that a verb is for. */

import type { Runtime, System } from "../../../runtime/contract/contract.ts";
import { SystemError } from "../../../runtime/contract/contract.ts";
import { listenAddress } from "../../config/values/address.ts";
import { envName } from "../../config/options/option.ts";
import { callControl, type ControlAddress, readControlAddress } from "../../control/control_address.ts";
import { foundSockets, nameOf } from "../../control/control_path.ts";
import { EXIT } from "../../process/shared/exit_code.ts";
import { usage, VerbFailure } from "./verb_call.ts";

/** How long a socket may take to show that a process is behind it, when there are several. */
const PROBE_MS = 1_000;
const HINT = "say where with --control PATH (one started with --control off has none)";

/** What the command line says about it. */
export interface Sought {
  readonly control: string | undefined;
  readonly listen: string | undefined;
}

/** By `--control`, else by the port of `--listen`, else the only one there is. @throws VerbFailure */
export async function findControl(runtime: Runtime, system: System, sought: Sought): Promise<ControlAddress> {
  const control = sought.control ??
    (sought.listen === undefined ? system.env[envName("control")] : undefined);
  if (control !== undefined && control !== "") return await named(system, control.replace(/^unix:/, ""));
  const found = await foundSockets(system);
  const listen = sought.listen ?? system.env[envName("listen")];
  if (listen !== undefined && listen !== "") {
    const port = portOf(listen);
    const path = found.find((candidate) => nameOf(candidate) === String(port));
    if (path !== undefined) return await named(system, path);
    throw absent(`no Sluice that listens on port ${port} has a control socket of the usual name`);
  }
  const [first, ...more] = found;
  if (first === undefined) throw absent("no running Sluice was found");
  if (more.length === 0) return await named(system, first);
  const alive = (await Promise.all(found.map((path) => answering(runtime, system, path))))
    .flatMap((address) => address === null ? [] : [address]);
  const [only] = alive;
  if (only === undefined) throw absent("no running Sluice was found");
  if (alive.length === 1) return only;
  throw new VerbFailure(
    EXIT.usage,
    "ambiguous",
    "several Sluices are running: say which with --control PATH or --listen :PORT",
    alive.map(({ path }) => path),
  );
}

async function named(system: System, path: string): Promise<ControlAddress> {
  if (path === "off") throw usage("--control: off has no control socket; give the path of one");
  let there: ControlAddress | "nothing" | "foreign";
  try {
    there = await readControlAddress(system, path);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new VerbFailure(EXIT.failed, "failed", `${path}: cannot be used: ${error.message}`);
  }
  if (there === "nothing") {
    throw new VerbFailure(
      EXIT.failed,
      "not_running",
      `there is no control socket ${path}: is Sluice running? (${HINT})`,
    );
  }
  if (there === "foreign") {
    throw new VerbFailure(EXIT.failed, "garbage", `${path} is no control socket; ${HINT}`);
  }
  return there;
}

function absent(message: string): VerbFailure {
  return new VerbFailure(EXIT.failed, "not_running", `${message}: start one, or ${HINT}`);
}

/** Null when no process listens there. */
async function answering(runtime: Runtime, system: System, path: string): Promise<ControlAddress | null> {
  try {
    const address = await readControlAddress(system, path);
    if (typeof address === "string") return null;
    const { reply } = callControl(runtime, address, {
      method: "GET",
      target: "/",
      body: "",
      timeoutMs: PROBE_MS,
    });
    const probed = await reply;
    return probed.ok || probed.code !== "absent" ? address : null;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return null;
  }
}

function portOf(listen: string): number {
  const parsed = listenAddress().parse(listen.split(",")[0]);
  if (!parsed.ok) throw usage(`--listen: ${parsed.faults[0]?.message ?? ""}`);
  const { address } = parsed.value;
  if (address.kind === "unix") throw usage("--listen: names a Unix socket: give --control PATH instead");
  return address.port;
}
