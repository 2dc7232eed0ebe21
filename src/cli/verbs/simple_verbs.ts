/** Verbs that ask once and print what they are told. */

import { heldWords, isPauseOwner, type PauseOwner } from "../../process/worker/pause_owner.ts";
import type { Status } from "../../process/worker/status.ts";
import { printDuration } from "../../config/values/quantity.ts";
import { EXIT, type ExitCode } from "../../process/shared/exit_code.ts";
import { statusText } from "./status_text.ts";
import { ANSWER_MS, garbage, GRACE_MS, printable, type Told, usage, type VerbCall } from "./verb_call.ts";
import { print } from "../../serve/output.ts";

/** How long what has to get ready, or to come true, may take. */
const READY_MS = 30_000;
/** How long a command or a new program may take to serve. */
const START_MS = 60_000;
const DRAIN_MS = 30_000;

export async function status(call: VerbCall): Promise<ExitCode> {
  const names = call.text("names");
  if (names !== null && names !== "upstreams" && names !== "endpoints") {
    throw usage("--names: must be upstreams or endpoints");
  }
  const told = await call.ask("GET", "/status", {}, call.timeout(ANSWER_MS));
  if (call.json) {
    call.tell(told, "");
    return EXIT.done;
  }
  let text: string;
  try {
    const status = told as unknown as Status;
    text = names === null ? statusText(status) : nameLines(status, names);
  } catch (error) {
    // Its members are not what we take them for: another program, or a Sluice of another time.
    const what = error instanceof Error ? error.message : "";
    throw garbage(call.control.path, `a status that cannot be read (${what}); try --json`);
  }
  print(call.system, text);
  return EXIT.done;
}

function nameLines({ upstreams }: Status, which: "upstreams" | "endpoints"): string {
  const found = which === "upstreams" ? upstreams : upstreams.flatMap(({ endpoints }) => endpoints);
  return [...new Set(found.map(({ name }) => `${printable(name)}\n`))].join("");
}

export async function pause(call: VerbCall): Promise<ExitCode> {
  const waitIdleMs = call.duration("wait-idle", 0);
  const leaseMs = call.duration("lease", null, 1);
  const told = await call.ask("POST", "/pause", {
    upstream: call.operand,
    wait_idle_ms: waitIdleMs,
    lease_ms: leaseMs,
  }, waitIdleMs + call.timeout(ANSWER_MS));
  const lease = leaseMs === null ? "" : `, for at most ${printDuration(leaseMs)}`;
  call.tell(told, `paused ${named(call.operand)}${lease}: ${quiet(told)}`);
  return EXIT.done;
}

export async function resume(call: VerbCall): Promise<ExitCode> {
  const told = await call.ask("POST", "/resume", { upstream: call.operand }, call.timeout(ANSWER_MS));
  const held = stillPaused(told);
  const words = held.length === 0 ? "" : `\n${heldWords(held)}`;
  call.tell(told, `resumed ${named(call.operand)}: ${quiet(told)}${words}`);
  return EXIT.done;
}

export async function drain(call: VerbCall): Promise<ExitCode> {
  const wait = call.args.own.has("wait");
  const windowMs = call.duration("window", DRAIN_MS);
  const endpoint = call.operand ?? "";
  const told = await call.ask("POST", "/drain", {
    endpoint,
    upstream: call.text("upstream"),
    window_ms: windowMs,
    wait,
  }, call.timeout(wait ? windowMs + ANSWER_MS : ANSWER_MS));
  const state = wait ? "drained" : "draining";
  call.tell(told, `${state} ${endpoint}: ${count(told, "in_flight")} in flight`);
  return EXIT.done;
}

export async function undrain(call: VerbCall): Promise<ExitCode> {
  const endpoint = call.operand ?? "";
  const body = { endpoint, upstream: call.text("upstream") };
  const told = await call.ask("POST", "/undrain", body, call.timeout(ANSWER_MS));
  call.tell(told, `${endpoint} gets requests again`);
  return EXIT.done;
}

export async function swap(call: VerbCall): Promise<ExitCode> {
  const to = (call.args.lists.get("to") ?? []).flatMap((list) => list.split(",")).map((one) => one.trim());
  if (to.length === 0) throw usage("--to ADDRESS is missing: where the new endpoints are");
  if (call.text("health-host") !== null && call.text("health") === null) {
    throw usage("--health-host HOST is for --health PATH, which is missing");
  }
  const timeoutMs = call.timeout(READY_MS);
  const told = await call.ask("POST", "/swap", {
    upstream: call.operand,
    to,
    health: call.text("health"),
    health_host: call.text("health-host"),
    timeout_ms: timeoutMs,
    drain_ms: call.duration("drain", DRAIN_MS),
  }, timeoutMs + GRACE_MS);
  const from = Array.isArray(told["from"]) ? told["from"].map(printable).join(", ") : "";
  call.tell(
    told,
    `swapped ${named(call.operand, "the endpoints")}: ${to.join(", ")} instead of ${from} ` +
      `(generation ${count(told, "generation")})`,
  );
  return EXIT.done;
}

export async function wait(call: VerbCall): Promise<ExitCode> {
  const healthy = call.args.own.has("healthy");
  if (healthy === call.args.own.has("idle")) throw usage("give one of --healthy and --idle");
  const timeoutMs = call.timeout(READY_MS);
  const what = healthy ? "healthy" : "idle";
  const body = { upstream: call.operand, for: what, timeout_ms: timeoutMs };
  const told = await call.ask("POST", "/wait", body, timeoutMs + GRACE_MS);
  call.tell(told, `${named(call.operand)}: ${what}`);
  return EXIT.done;
}

export async function reload(call: VerbCall): Promise<ExitCode> {
  const told = await call.ask("POST", "/reload", {}, call.timeout(READY_MS));
  const lines = (name: string): string[] => Array.isArray(told[name]) ? told[name].map(printable) : [];
  const changes = lines("changes");
  const head = changes.length === 0
    ? "reloaded: nothing has changed"
    : `reloaded (generation ${count(told, "generation")}):`;
  const ignored = lines("ignored").map((line) => `  only at the next start: ${line}`);
  const warnings = lines("warnings").map((line) => `  warning: ${line}`);
  call.tell(told, [head, ...changes.map((line) => `  ${line}`), ...ignored, ...warnings].join("\n"));
  return EXIT.done;
}

export async function restart(call: VerbCall): Promise<ExitCode> {
  const timeoutMs = call.timeout(START_MS);
  const body = { upstream: call.operand, timeout_ms: timeoutMs };
  const told = await call.ask("POST", "/restart", body, timeoutMs + GRACE_MS);
  const pids = Array.isArray(told["pids"]) ? told["pids"].map(printable).join(", ") : "";
  call.tell(told, `restarted: process ${pids}`);
  return EXIT.done;
}

export async function upgrade(call: VerbCall): Promise<ExitCode> {
  const timeoutMs = call.timeout(START_MS);
  const body = { binary: call.operand, timeout_ms: timeoutMs };
  const told = await call.ask("POST", "/upgrade", body, timeoutMs + GRACE_MS);
  call.tell(told, `upgraded: process ${count(told, "pid")} serves`);
  return EXIT.done;
}

export async function reopen(call: VerbCall): Promise<ExitCode> {
  call.tell(await call.ask("POST", "/reopen", {}, call.timeout(ANSWER_MS)), "log files opened anew");
  return EXIT.done;
}

function named(upstream: string | null, all = "all upstreams"): string {
  return upstream ?? all;
}

/** Upstreams of an answer that others still hold. */
function stillPaused(told: Told): { readonly upstream: string; readonly owner: PauseOwner }[] {
  const list: unknown = told["still_paused"];
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: Partial<Record<string, unknown>> | null) => {
    const owner = String(each?.["owner"]);
    return isPauseOwner(owner) ? [{ upstream: printable(each?.["upstream"]), owner }] : [];
  });
}

function quiet(told: Told): string {
  return `${count(told, "in_flight")} in flight, ${count(told, "waiting")} waiting`;
}

/** A number of an answer; `?` when it is none. */
function count(told: Told, name: string): string {
  const value = told[name];
  return typeof value === "number" ? String(value) : "?";
}
