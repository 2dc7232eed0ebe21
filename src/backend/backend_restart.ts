/** Stops and restarts of a command around which requests are held, so that none meets a command that ends. */

import type { Clock } from "../../runtime/contract/contract.ts";
import type { Backend } from "./backend.ts";
import { endWords } from "./backend_exit.ts";
import type { Activity } from "./backend_idle.ts";
import type { BackendGate } from "./backend_gate.ts";
import type { Outcome, Refusal } from "../control/plane.ts";

/**
 * Holds new requests, lets those in flight end (for `drainMs` at most: then the rest is cut), stops the command,
 * starts it, and lets the requests go when it accepts connections. The pause is the restart's own: what others have paused
 * or drained stays so, and what they resume meanwhile stays held.
 *
 * @param name of the upstream
 * @param stop stops what runs
 * @param child what is started then; another one, where the command is described differently from now on
 * @param timeoutMs for all of it; refused as `timeout`, the command is still starting, and requests wait for it
 */
export async function restartHeld(
  gate: BackendGate,
  clock: Clock,
  name: string,
  stop: () => Promise<void>,
  child: Backend,
  timeoutMs: number,
  drainMs: number,
): Promise<Outcome> {
  const deadline = clock.now() + timeoutMs;
  const release = await held(gate, name, Math.min(drainMs, timeoutMs));
  if (typeof release !== "function") return release;
  try {
    await stop();
    child.start();
    const settled = await within(clock, child.settled(), deadline - clock.now());
    if (!settled) {
      const message = `The command of ${name} does not accept connections yet.`;
      return { ok: false, code: "timeout", message };
    }
    if (child.state !== "running") {
      const { last_exit: why } = child.status();
      return { ok: false, code: "failed", message: `The command of ${name} ${atStart(why)}.` };
    }
    return { ok: true };
  } finally {
    await release();
  }
}

/** `ended at its start: exit code 1`, or `not started: …` as a part of a sentence. */
function atStart(why: string): string {
  const words = endWords(why);
  return words.startsWith("ended") ? `ended at its start: ${why}` : `was ${words}`;
}

/** @returns what undoes it, or why it could not be done */
async function held(
  gate: BackendGate,
  upstream: string,
  drainMs: number,
): Promise<(() => Promise<void>) | Refusal> {
  const status = (await gate.status()).upstreams.find(({ name }) => name === upstream);
  if (status === undefined) {
    return { ok: false, code: "unknown_name", message: `There is no upstream ${upstream}.` };
  }
  const paused = await gate.pause(upstream, 0, null, undefined, "restart");
  if (!paused.ok) return paused;
  const drained: string[] = [];
  await Promise.all(status.endpoints.map(async ({ name, state }) => {
    if (state === "draining" || state === "drained") return;
    drained.push(name);
    // A refusal says that not all has ended in time; what is left ends with the command.
    await gate.drain(name, upstream, drainMs, true);
  }));
  return async () => {
    for (const name of drained) await gate.undrain(name, upstream);
    await gate.resume(upstream, paused.token);
  };
}

/**
 * Stops a command that has no requests; new ones are held until it is gone.
 *
 * @returns false when a request came after all, and it still runs
 */
export async function stopUnused(
  gate: BackendGate,
  upstream: string,
  child: Backend,
  activity: () => Promise<Activity>,
): Promise<boolean> {
  const status = (await gate.status()).upstreams.find(({ name }) => name === upstream);
  // Paused by an operator or a client of the control plane, who means to use it afterwards.
  if (status === undefined || status.paused !== null) return false;
  const paused = await gate.pause(upstream, 0, null, undefined, "idle_stop");
  if (!paused.ok) return false;
  try {
    const { inFlight, waiting } = await activity();
    if (inFlight > 0 || waiting > 0 || child.state !== "running") return false;
    await child.stop();
    return true;
  } finally {
    await gate.resume(upstream, paused.token);
  }
}

/** @returns false when it took longer */
async function within(clock: Clock, done: Promise<void>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = clock.setTimer(Math.max(0, ms), () => late.resolve(false));
  try {
    return await Promise.race([done.then(() => true), late.promise]);
  } finally {
    timer.cancel();
  }
}
