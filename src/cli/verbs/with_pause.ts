/** `sluice with-pause`: requests wait while a command runs, and go on whatever becomes of it, or of us. */

import type { CommandExit } from "../../../runtime/contract/contract.ts";
import { exitCodeOf, signalledCode } from "../../backend/backend_exit.ts";
import { PassedSignals, runInForeground } from "../../backend/foreground.ts";
import { EXIT } from "../../process/shared/exit_code.ts";
import { printError } from "../../serve/output.ts";
import { ANSWER_MS, garbage, printable, usage, type VerbCall, VerbFailure } from "./verb_call.ts";

/** What the pause outlives us by when we are killed, unless told otherwise. */
const LEASE_MS = 10_000;
/** Renewed so often within a lease: one renewal may be lost. */
const RENEWALS = 3;
export async function withPause(call: VerbCall): Promise<number> {
  const { system, runtime } = call;
  const [program, ...words] = call.args.rest ?? [];
  if (program === undefined) throw usage("-- COMMAND is missing: what to run while requests wait");
  if (!runtime.capabilities.commands) {
    throw new VerbFailure(
      EXIT.failed,
      "not_possible",
      `${runtime.name} cannot start commands here; use pause --lease and resume`,
    );
  }
  const upstream = call.operand;
  const waitIdleMs = call.duration("wait-idle", 0);
  const leaseMs = call.duration("lease", LEASE_MS, 1);
  const answerMs = call.timeout(ANSWER_MS);
  const signals = new PassedSignals(system, ["SIGTERM", "SIGINT", "SIGHUP"]);

  const paused = await call.insist(async () => {
    const pausing = await call.begin({
      method: "POST",
      target: "/pause",
      body: JSON.stringify({
        upstream,
        wait_idle_ms: waitIdleMs,
        lease_ms: leaseMs + waitIdleMs,
        owner: "with_pause",
      }),
      timeoutMs: waitIdleMs + answerMs,
    });
    // Told to stop while it waits: Sluice resumes when we leave.
    signals.whenFirst = () => pausing.cancel();
    if (signals.any !== "") pausing.cancel();
    const reply = await pausing.reply;
    return !reply.ok && signals.any !== "" ? null : call.read(reply);
  });
  if (paused === null) return signalledCode(signals.any);
  const { token } = paused;
  if (typeof token !== "string") throw garbage(call.control.path, "a pause without a token");
  const stopRenewing = renewing(call, token, leaseMs);
  const exit: CommandExit = signals.any
    ? { code: null, signal: signals.any, failure: "" }
    : await runInForeground(system, { command: [program, ...words], env: {}, folder: null }, signals);
  stopRenewing();
  if (exit.failure !== "") printError(system, `sluice with-pause: ${program}: ${printable(exit.failure)}\n`);
  let code: number = exitCodeOf(exit);
  try {
    const reply = await call.request("POST", "/resume", { upstream, token }, answerMs);
    if (reply["ended"] === 0) {
      // Its lease ended because we could not renew it, or Sluice was started anew.
      printError(
        system,
        "sluice with-pause: the pause was lost while the command ran: requests may have passed\n",
      );
      if (code === 0) code = EXIT.failed;
    }
  } catch (error) {
    if (!(error instanceof VerbFailure)) throw error;
    const after = `the pause ends by itself within ${leaseMs} ms`;
    printError(system, `sluice with-pause: cannot resume: ${error.message}; ${after}\n`);
    if (code === 0) code = EXIT.failed;
  }
  return code;
}

/** Keeps the lease alive until it is told to stop. */
function renewing(call: VerbCall, token: string, leaseMs: number): () => void {
  const { clock } = call.runtime;
  const everyMs = Math.max(1, Math.floor(leaseMs / RENEWALS));
  let stopped = false;
  let complained = false;
  const renew = async (): Promise<void> => {
    try {
      await call.request("POST", "/renew", { token, lease_ms: leaseMs }, everyMs);
      complained = false;
    } catch (error) {
      if (!(error instanceof VerbFailure)) throw error;
      if (!complained && !stopped) {
        printError(call.system, `sluice with-pause: the pause cannot be kept up: ${error.message}\n`);
      }
      complained = true;
      if (error.code === "unknown_name") stopped = true;
    }
    if (!stopped) timer = clock.setTimer(everyMs, () => void renew());
  };
  let timer = clock.setTimer(0, () => void renew());
  return () => {
    stopped = true;
    timer.cancel();
  };
}
