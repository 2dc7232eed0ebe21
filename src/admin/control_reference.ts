/** What `docs/reference.md` says about the control socket; a test compares it with the routes there are. */

import type { RefusalCode } from "../control/plane.ts";

export interface ControlEntry {
  readonly request: string;
  /** Members of the object that is sent, in Markdown; a star marks those that must be there. */
  readonly sent: string;
  /** Members of the object that is answered, in Markdown. */
  readonly told: string;
}

export const CONTROL_REFERENCE: readonly ControlEntry[] = [
  { request: "GET /status", sent: "", told: "the status" },
  { request: "GET /events", sent: "", told: "one event a line, until either side leaves" },
  {
    request: "POST /pause",
    sent: "`upstream`, `wait_idle_ms`, `lease_ms`, `owner` (operator or with_pause)",
    told: "`in_flight`, `waiting`, `token`",
  },
  {
    request: "POST /resume",
    sent: "`upstream`, `token`",
    told:
      "`in_flight`, `waiting`, `ended`, `still_paused` (each with `upstream`, `owner`, `since`, `lease_until`)",
  },
  { request: "POST /renew", sent: "`token`*, `lease_ms`", told: "" },
  { request: "POST /drain", sent: "`endpoint`*, `upstream`, `window_ms`, `wait`", told: "`in_flight`" },
  { request: "POST /undrain", sent: "`endpoint`*, `upstream`", told: "" },
  {
    request: "POST /swap",
    sent: "`to`*, `upstream`, `health`, `health_host`, `timeout_ms`, `drain_ms`",
    told: "`generation`, `from`",
  },
  { request: "POST /wait", sent: "`for`* (healthy or idle), `upstream`, `timeout_ms`", told: "" },
  {
    request: "POST /reload",
    sent: "",
    told: "`generation`, `changes`, `ignored`, `warnings` where there are some",
  },
  { request: "POST /restart", sent: "`upstream`, `timeout_ms`", told: "`pids`" },
  { request: "POST /upgrade", sent: "`binary`, `timeout_ms`", told: "`pid`" },
  {
    request: "POST /stop",
    sent: "`now`",
    told: "`connections`; then the connection stays open until the process is gone",
  },
  {
    request: "POST /explain",
    sent: "`url`*, `method`, `headers`, `body_bytes`, `chunked`, `user`, `resolve`",
    told: "`explanation`",
  },
  { request: "POST /reopen", sent: "", told: "" },
];

export const REFUSAL_MEANINGS: Readonly<Record<RefusalCode, string>> = {
  unknown_name: "there is no such upstream, endpoint or pause",
  ambiguous_name: "an endpoint of that name is in several upstreams",
  invalid: "what was asked for makes no sense, or the configuration has problems",
  not_possible: "this Sluice, platform or configuration cannot do it",
  unhealthy: "new endpoints did not become ready",
  timeout: "the condition did not come true in time; what was done stays done",
  busy: "another operation of this kind is under way",
  replaced: "another process has taken the place of this one: connect again to ask that",
  failed: "anything else",
};
