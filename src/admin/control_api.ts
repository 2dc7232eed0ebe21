/**
 * What the control socket answers: a path for each verb of `ControlPlane`, JSON in and out. So
 * `curl --unix-socket PATH http://sluice/status` works, and the command line's verbs ask nothing else.
 *
 * Members are named in snake_case, durations are milliseconds. Done is 200 with what the verb tells; a refusal
 * is `{"error": code, "message": …}` with the status of `REFUSALS`, and `problems` where there are several.
 */

import { endpointAddress } from "../config/values/address.ts";
import { ASKING_OWNERS } from "../process/worker/pause_owner.ts";
import type { ControlPlane, Outcome, Refusal } from "../control/plane.ts";
import {
  errorReply,
  type HttpReply,
  type HttpRequest,
  type HttpRoute,
  JSON_LINES_TYPE,
  jsonReply,
} from "../server/http_message.ts";
import { JsonBody } from "./json_body.ts";
import { REFUSALS } from "./refusal_table.ts";

/** Longest time that anything may wait, and longest lease: a week. */
const MAX_WAIT_MS = 7 * 24 * 3_600_000;
/** How long verbs wait that are not told. */
const DEFAULT_TIMEOUT_MS = 30_000;

const ENDPOINT = endpointAddress();

/** All routes of the control socket. */
export function controlRoutes(plane: ControlPlane): readonly HttpRoute[] {
  const post = (
    path: string,
    handle: (body: JsonBody, request: HttpRequest) => () => Promise<Outcome<object>>,
  ): HttpRoute => ({
    method: "POST",
    path,
    async handle(request) {
      const body = new JsonBody(request.body);
      const act = handle(body, request);
      if (body.problems.length > 0) return refusalReply(invalid(body.problems));
      return outcomeReply(await act());
    },
  });
  return [
    { method: "GET", path: "/status", handle: async () => jsonReply(200, await plane.status()) },
    { method: "GET", path: "/events", handle: () => events(plane) },
    post("/pause", (body, { signal }) => {
      const upstream = body.text("upstream");
      const waitIdleMs = body.number("wait_idle_ms", MAX_WAIT_MS, 0);
      const leaseMs = body.number("lease_ms", MAX_WAIT_MS, null);
      const owner = body.oneOf("owner", ASKING_OWNERS, "operator");
      return () => plane.pause(upstream, waitIdleMs, leaseMs, signal, owner);
    }),
    post("/resume", (body) => {
      const upstream = body.text("upstream");
      const token = body.text("token");
      return () => token === null ? plane.resume(upstream) : plane.resume(upstream, token);
    }),
    post("/renew", (body) => {
      const token = body.requiredText("token");
      const leaseMs = body.number("lease_ms", MAX_WAIT_MS, DEFAULT_TIMEOUT_MS);
      return () => plane.renew(token, leaseMs);
    }),
    post("/drain", (body) => {
      const endpoint = endpointName(body.requiredText("endpoint"));
      const upstream = body.text("upstream");
      const windowMs = body.number("window_ms", MAX_WAIT_MS, DEFAULT_TIMEOUT_MS);
      const wait = body.flag("wait");
      return () => plane.drain(endpoint, upstream, windowMs, wait);
    }),
    post("/undrain", (body) => {
      const endpoint = endpointName(body.requiredText("endpoint"));
      const upstream = body.text("upstream");
      return () => plane.undrain(endpoint, upstream);
    }),
    post("/swap", (body) => {
      const upstream = body.text("upstream");
      const to = body.texts("to");
      const path = body.text("health");
      const host = body.text("health_host");
      const timeoutMs = body.number("timeout_ms", MAX_WAIT_MS, DEFAULT_TIMEOUT_MS);
      const drainMs = body.number("drain_ms", MAX_WAIT_MS, DEFAULT_TIMEOUT_MS);
      return () =>
        to.length === 0
          ? Promise.resolve(invalid(["to: is missing: the addresses of the new endpoints"]))
          : path === null && host !== null
          ? Promise.resolve(invalid(["health_host: is for the question of health, which is missing"]))
          : plane.swap(upstream, to, path === null ? null : { path, host }, timeoutMs, drainMs);
    }),
    post("/wait", (body, { signal }) => {
      const upstream = body.text("upstream");
      const what = body.oneOf("for", ["healthy", "idle"]);
      const timeoutMs = body.number("timeout_ms", MAX_WAIT_MS, DEFAULT_TIMEOUT_MS);
      return () => plane.wait(upstream, what, timeoutMs, signal);
    }),
    post("/reload", () => () => plane.reload()),
    post("/restart", (body) => {
      const upstream = body.text("upstream");
      const timeoutMs = body.number("timeout_ms", MAX_WAIT_MS, DEFAULT_TIMEOUT_MS);
      return () => plane.restart(upstream, timeoutMs);
    }),
    post("/upgrade", (body) => {
      const binary = body.text("binary");
      const timeoutMs = body.number("timeout_ms", MAX_WAIT_MS, DEFAULT_TIMEOUT_MS);
      return () => plane.upgrade(binary, timeoutMs);
    }),
    { method: "POST", path: "/stop", handle: (request) => stop(plane, request) },
    post("/explain", (body) => {
      const method = body.text("method") ?? "GET";
      const url = body.requiredText("url");
      const headers = body.texts("headers");
      const bodyBytes = body.number("body_bytes", Number.MAX_SAFE_INTEGER, 0);
      const chunked = body.flag("chunked");
      const user = body.text("user");
      const resolve = body.flag("resolve");
      const request = { method, url, headers, body_bytes: chunked ? null : bodyBytes };
      const proxy = { ...(user === null ? {} : { user }), ...(resolve ? { resolve } : {}) };
      return () => plane.explain({ ...request, ...proxy });
    }),
    post("/reopen", () => () => plane.reopenLogs()),
  ];
}

/** The name that an address has as an endpoint: `3000` is `127.0.0.1:3000`. Other words stay as they are. */
function endpointName(word: string): string {
  const parsed = ENDPOINT.parse(word);
  return parsed.ok ? parsed.value.name : word;
}

/** One event a line, from now on, until either side leaves. */
function events(plane: ControlPlane): HttpReply {
  return {
    status: 200,
    contentType: JSON_LINES_TYPE,
    begin: (out) => plane.watch((event) => out.write(JSON.stringify(event) + "\n")),
  };
}

/**
 * Answers with one line once the end has begun, and leaves the connection open: that it breaks tells the
 * client that the process is gone.
 */
async function stop(plane: ControlPlane, request: HttpRequest): Promise<HttpReply> {
  const body = new JsonBody(request.body);
  const now = body.flag("now");
  if (body.problems.length > 0) return refusalReply(invalid(body.problems));
  const outcome = await plane.stop(now);
  if (!outcome.ok) return refusalReply(outcome);
  return {
    status: 200,
    contentType: JSON_LINES_TYPE,
    untilExit: true,
    begin(out) {
      out.write(JSON.stringify({ connections: outcome.connections }) + "\n");
      return () => {};
    },
  };
}

function invalid(problems: readonly string[]): Refusal {
  const [only] = problems;
  return problems.length === 1 && only !== undefined
    ? { ok: false, code: "invalid", message: only }
    : { ok: false, code: "invalid", message: "The request has several faults.", problems };
}

function outcomeReply(outcome: Outcome<object>): HttpReply {
  if (!outcome.ok) return refusalReply(outcome);
  const { ok: _, ...told } = outcome;
  return jsonReply(200, told);
}

export function refusalReply({ code, message, problems }: Refusal): HttpReply {
  const { status } = REFUSALS[code];
  const reply = problems === undefined
    ? errorReply(status, code, message)
    : jsonReply(status, { error: code, message, problems });
  // The next request needs a new connection: another process listens there now.
  return code === "replaced" ? { ...reply, close: true } : reply;
}
