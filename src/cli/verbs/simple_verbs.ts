/** Verbs that send one request and print its reply. */

import { heldWords, isPauseOwner, type PauseOwner } from "../../process/worker/pause_owner.ts";
import type { Status } from "../../process/worker/status.ts";
import { printDuration } from "../../config/values/quantity.ts";
import { EXIT, type ExitCode } from "../../process/shared/exit_code.ts";
import { statusOf } from "./status_reply.ts";
import { statusText } from "./status_text.ts";
import {
  ANSWER_MS,
  garbage,
  GRACE_MS,
  printable,
  type ReplyObject,
  usage,
  type VerbCall,
} from "./verb_call.ts";
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
  const reply = await call.request("GET", "/status", {}, call.timeout(ANSWER_MS));
  if (call.json) {
    call.tell(reply, "");
    return EXIT.done;
  }
  let text: string;
  try {
    const status = statusOf(reply);
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
  const reply = await call.request("POST", "/pause", {
    upstream: call.operand,
    wait_idle_ms: waitIdleMs,
    lease_ms: leaseMs,
  }, waitIdleMs + call.timeout(ANSWER_MS));
  const lease = leaseMs === null ? "" : `, for at most ${printDuration(leaseMs)}`;
  call.tell(reply, `paused ${named(call.operand)}${lease}: ${quiet(reply)}`);
  return EXIT.done;
}

export async function resume(call: VerbCall): Promise<ExitCode> {
  const reply = await call.request("POST", "/resume", { upstream: call.operand }, call.timeout(ANSWER_MS));
  const held = stillPaused(reply);
  const words = held.length === 0 ? "" : `\n${heldWords(held)}`;
  call.tell(reply, `resumed ${named(call.operand)}: ${quiet(reply)}${words}`);
  return EXIT.done;
}

export async function drain(call: VerbCall): Promise<ExitCode> {
  const wait = call.args.own.has("wait");
  const windowMs = call.duration("window", DRAIN_MS);
  const endpoint = call.operand ?? "";
  const reply = await call.request("POST", "/drain", {
    endpoint,
    upstream: call.text("upstream"),
    window_ms: windowMs,
    wait,
  }, call.timeout(wait ? windowMs + ANSWER_MS : ANSWER_MS));
  const state = wait ? "drained" : "draining";
  call.tell(reply, `${state} ${endpoint}: ${count(reply, "in_flight")} in flight`);
  return EXIT.done;
}

export async function undrain(call: VerbCall): Promise<ExitCode> {
  const endpoint = call.operand ?? "";
  const body = { endpoint, upstream: call.text("upstream") };
  const reply = await call.request("POST", "/undrain", body, call.timeout(ANSWER_MS));
  call.tell(reply, `${endpoint} gets requests again`);
  return EXIT.done;
}

export async function swap(call: VerbCall): Promise<ExitCode> {
  const to = (call.args.lists.get("to") ?? []).flatMap((list) => list.split(",")).map((one) => one.trim());
  if (to.length === 0) throw usage("--to ADDRESS is missing: where the new endpoints are");
  if (call.text("health-host") !== null && call.text("health") === null) {
    throw usage("--health-host HOST is for --health PATH, which is missing");
  }
  const timeoutMs = call.timeout(READY_MS);
  const reply = await call.request("POST", "/swap", {
    upstream: call.operand,
    to,
    health: call.text("health"),
    health_host: call.text("health-host"),
    timeout_ms: timeoutMs,
    drain_ms: call.duration("drain", DRAIN_MS),
  }, timeoutMs + GRACE_MS);
  const from = Array.isArray(reply["from"]) ? reply["from"].map(printable).join(", ") : "";
  call.tell(
    reply,
    `swapped ${named(call.operand, "the endpoints")}: ${to.join(", ")} instead of ${from} ` +
      `(generation ${count(reply, "generation")})`,
  );
  return EXIT.done;
}

export async function wait(call: VerbCall): Promise<ExitCode> {
  const healthy = call.args.own.has("healthy");
  if (healthy === call.args.own.has("idle")) throw usage("give one of --healthy and --idle");
  const timeoutMs = call.timeout(READY_MS);
  const what = healthy ? "healthy" : "idle";
  const body = { upstream: call.operand, for: what, timeout_ms: timeoutMs };
  const reply = await call.request("POST", "/wait", body, timeoutMs + GRACE_MS);
  call.tell(reply, `${named(call.operand)}: ${what}`);
  return EXIT.done;
}

export async function reload(call: VerbCall): Promise<ExitCode> {
  const reply = await call.request("POST", "/reload", {}, call.timeout(READY_MS));
  const lines = (name: string): string[] => Array.isArray(reply[name]) ? reply[name].map(printable) : [];
  const changes = lines("changes");
  const head = changes.length === 0
    ? "reloaded: nothing has changed"
    : `reloaded (generation ${count(reply, "generation")}):`;
  const ignored = lines("ignored").map((line) => `  only at the next start: ${line}`);
  const warnings = lines("warnings").map((line) => `  warning: ${line}`);
  call.tell(reply, [head, ...changes.map((line) => `  ${line}`), ...ignored, ...warnings].join("\n"));
  return EXIT.done;
}

export async function restart(call: VerbCall): Promise<ExitCode> {
  const timeoutMs = call.timeout(START_MS);
  const body = { upstream: call.operand, timeout_ms: timeoutMs };
  const reply = await call.request("POST", "/restart", body, timeoutMs + GRACE_MS);
  const pids = Array.isArray(reply["pids"]) ? reply["pids"].map(printable).join(", ") : "";
  call.tell(reply, `restarted: process ${pids}`);
  return EXIT.done;
}

export async function upgrade(call: VerbCall): Promise<ExitCode> {
  const timeoutMs = call.timeout(START_MS);
  const body = { binary: call.operand, timeout_ms: timeoutMs };
  const reply = await call.request("POST", "/upgrade", body, timeoutMs + GRACE_MS);
  call.tell(reply, `upgraded: process ${count(reply, "pid")} serves`);
  return EXIT.done;
}

export async function reopen(call: VerbCall): Promise<ExitCode> {
  call.tell(await call.request("POST", "/reopen", {}, call.timeout(ANSWER_MS)), "log files opened anew");
  return EXIT.done;
}

function named(upstream: string | null, all = "all upstreams"): string {
  return upstream ?? all;
}

/** Upstreams of a reply that others still hold. */
function stillPaused(reply: ReplyObject): { readonly upstream: string; readonly owner: PauseOwner }[] {
  const list: unknown = reply["still_paused"];
  if (!Array.isArray(list)) return [];
  return list.flatMap((each: Partial<Record<string, unknown>> | null) => {
    const owner = String(each?.["owner"]);
    return isPauseOwner(owner) ? [{ upstream: printable(each?.["upstream"]), owner }] : [];
  });
}

function quiet(reply: ReplyObject): string {
  return `${count(reply, "in_flight")} in flight, ${count(reply, "waiting")} waiting`;
}

/** A number of a reply; `?` when it is none. */
function count(reply: ReplyObject, name: string): string {
  const value = reply[name];
  return typeof value === "number" ? String(value) : "?";
}
