/** `sluice explain`: asks the running Sluice, or tells what a configuration would do. */

import type { Runtime, System } from "../../../runtime/contract/contract.ts";
import { printAddress } from "../../config/values/address.ts";
import { printDuration, printSize } from "../../config/values/quantity.ts";
import { formatProblem } from "../../config/values/problem.ts";
import type { ExplainRequest } from "../../control/plane.ts";
import { statusPhrase } from "../../http/status_phrase.ts";
import { REFUSALS } from "../../admin/refusal_table.ts";
import type { Arguments } from "../arguments.ts";
import { EXIT, type ExitCode } from "../../process/shared/exit_code.ts";
import { explain } from "../../serve/explain/explain.ts";
import type {
  ExplainedForwarding,
  ExplainedProxying,
  ExplainedRetry,
  ExplainedScripts,
  Explanation,
} from "../../serve/explain/explanation.ts";
import { print, printProblems, printWarnings } from "../../serve/output.ts";
import type { Stub } from "../../serve/dry/dry_scripts.ts";
import { readConfig } from "../../serve/read_config.ts";
import {
  ANSWER_MS,
  garbage,
  printable,
  tellFailure,
  usage,
  type VerbCall,
  VerbFailure,
} from "./verb_call.ts";

/** Flags of the configuration that say only which Sluice to ask. */
const FINDING: ReadonlySet<string> = new Set(["control", "listen"]);

/** A configuration was given, so no running Sluice has to be asked. */
export function explainsOffline(system: System, args: Arguments): boolean {
  const given = Object.keys(args.flags).some((name) => !FINDING.has(name));
  const { SLUICE_TO: to = "", SLUICE_CONFIG: config = "" } = system.env;
  return given ||
    (args.flags["control"] === undefined && args.flags["listen"] === undefined && to + config !== "");
}

export async function explainOffline(runtime: Runtime, system: System, args: Arguments): Promise<ExitCode> {
  try {
    const request = requestOf(args);
    const loaded = await readConfig(system, args.flags);
    if (!loaded.ok) {
      printProblems(system, loaded.problems.map(formatProblem));
      return EXIT.usage;
    }
    printWarnings(system, loaded.warnings);
    const outcome = await explain(runtime, system, loaded.config, request, null, stubsOf(args));
    if (!outcome.ok) throw new VerbFailure(REFUSALS[outcome.code].exit, outcome.code, outcome.message);
    const { explanation } = outcome;
    print(system, args.own.has("json") ? JSON.stringify(explanation) + "\n" : explanationText(explanation));
    return EXIT.done;
  } catch (error) {
    if (error instanceof VerbFailure) return tellFailure(system, args, error);
    throw error;
  }
}

export async function explainVerb(call: VerbCall): Promise<ExitCode> {
  const { body_bytes: bodyBytes, ...request } = requestOf(call.args);
  const body = bodyBytes === null ? { chunked: true } : { body_bytes: bodyBytes };
  const reply = await call.request("POST", "/explain", { ...request, ...body }, call.timeout(ANSWER_MS));
  const explanation = reply["explanation"] as Explanation;
  if (call.json) {
    call.tell(explanation, "");
    return EXIT.done;
  }
  let text: string;
  try {
    text = explanationText(explanation);
  } catch {
    throw garbage(call.control.path, "an explanation that cannot be read; try --json");
  }
  print(call.system, text);
  return EXIT.done;
}

function requestOf(args: Arguments): ExplainRequest {
  const url = args.own.get("url") ?? "";
  if (url === "") throw usage("--url is missing: http://host/path, or a path");
  const bytes = args.own.get("body-bytes") ?? "0";
  if (!/^\d{1,15}$/.test(bytes)) throw usage("--body-bytes: must be a whole number of bytes");
  const chunked = args.own.has("chunked");
  if (chunked && args.own.has("body-bytes")) throw usage("give one of --body-bytes and --chunked");
  return {
    method: args.own.get("method") ?? "GET",
    url,
    headers: args.lists.get("header") ?? [],
    body_bytes: chunked ? null : Number(bytes),
    ...(args.own.has("user") ? { user: args.own.get("user") ?? "" } : {}),
    ...(args.own.has("resolve") ? { resolve: true } : {}),
  };
}

/** `auth=401`: what sub-requests of scripts get from an upstream. */
function stubsOf(args: Arguments): ReadonlyMap<string, Stub> {
  return new Map((args.lists.get("stub") ?? []).map((text) => {
    const match = /^([^=]+)=([2-5]\d\d)$/.exec(text);
    if (match === null) throw usage("--stub: must be an upstream and a status, like auth=401");
    return [match[1] ?? "", { status: Number(match[2]), headers: [], body: "" }] as const;
  }));
}

/** Width of the column with the names of things. */
const COLUMN = 12;

export function explanationText(explanation: Explanation): string {
  const { method, target, fields, route, upstream, answer, forwarded, proxied, outcome } = explanation;
  const rows: (readonly [string, readonly string[]])[] = [
    ["request", [`${method} ${target}`, ...fields]],
  ];
  if (proxied !== undefined) rows.push(...proxyingRows(proxied));
  if (explanation.scripts !== undefined) rows.push(["script", scriptLines(explanation.scripts)]);
  if (answer !== null && outcome === "tunnelled") {
    rows.push(["tunnel", [
      "once a connection to the destination is there, after this answer:",
      String(answer.status),
      ...answer.fields,
    ]]);
  } else if (answer !== null) {
    const why = answer.reason === "" ? "" : `, reason ${answer.reason}`;
    rows.push(
      ["route", [route ?? "none"]],
      ["answered", [
        `${answer.status} ${statusPhrase(answer.status)} by Sluice itself${why}`,
        ...(answer.detail === "" ? [] : [answer.detail]),
        ...answer.fields,
      ]],
    );
  }
  if (forwarded !== null) {
    if (proxied === undefined) {
      rows.push(["route", [`${route ?? "none"}, to upstream ${upstream ?? "none"}`]]);
    }
    rows.push(...forwardingRows(forwarded));
  }
  return rows.flatMap(([name, lines]) =>
    lines.map((line, index) => `${(index === 0 ? name : "").padEnd(COLUMN)}${printable(line)}\n`)
  ).join("");
}

function scriptLines({ decisions, asked, faults, said }: ExplainedScripts): string[] {
  return [
    ...decisions,
    ...asked.map(({ upstream, method, uri }) => `asks ${upstream}: ${method} ${uri}`),
    ...faults.map((words) => `fault: ${words}`),
    ...said.map((words) => `says: ${words}`),
    ...(decisions.length + asked.length + faults.length + said.length === 0 ? ["is not asked"] : []),
  ];
}

function proxyingRows(proxied: ExplainedProxying): (readonly [string, readonly string[]])[] {
  const { user, addresses, rule, allowed, decided } = proxied;
  const asks = proxied.asks_for.length === 0
    ? "no credentials"
    : `407 without ${proxied.asks_for.join(" or ")}`;
  const verdict = allowed ? "allowed" : "denied";
  const { way } = proxied;
  return [
    ["proxy", [
      `to ${printAddress({ kind: "tcp", host: proxied.host, port: proxied.port })}`,
      user === null ? asks : `as user ${user}, who has logged in`,
    ]],
    ["rule", [
      rule === null ? `${verdict}: no rule is against it` : `${verdict}: ${rule}`,
      ...(decided ? [] : ["only its address can tell: see --resolve"]),
    ]],
    ...(way === undefined ? [] : [["way", [wayWords(way)]] as const]),
    ["addresses", [
      ...(proxied.lookup_error === "" ? [] : [`the look-up failed: ${proxied.lookup_error}`]),
      ...(addresses ?? []).map((each) =>
        `${each.address}, ${each.class}: ${each.allowed ? "allowed" : `denied (${each.rule ?? ""})`}`
      ),
      ...(addresses === null && proxied.lookup_error === "" ? ["not looked up"] : []),
    ]],
  ];
}

function wayWords({ rule, action, reason }: ExplainedProxying["way"] & object): string {
  if (action === "look_up") return "its address decides which rule it goes by: see --resolve";
  const how = action === "deny"
    ? `denied: ${reason}`
    : action === "direct"
    ? "to the destination itself"
    : "by way of a parent";
  return `${how} (${rule === null ? "no rule is for it" : `rule ${rule}`})`;
}

function forwardingRows(to: ExplainedForwarding): (readonly [string, readonly string[]])[] {
  const { hold, body, timeouts } = to;
  return [
    [
      "endpoints",
      to.endpoints.map(({ name, weight, state, first }) =>
        [
          name,
          ...(weight === 1 ? [] : [`weight ${weight}`]),
          ...(state === null ? [] : [state]),
          ...(first && to.endpoints.length > 1 ? [`first by ${to.policy}`] : []),
        ].join(", ")
      ),
    ],
    ["waits", [
      ...(hold.paused ? ["now: the upstream is paused"] : []),
      hold.hold_ms === 0
        ? "not at all while no endpoint can be reached: 502 at once"
        : `up to ${printDuration(hold.hold_ms)} while no endpoint can be reached`,
      ...(hold.max_in_flight === 0 ? [] : [
        `up to ${printDuration(hold.queue_timeout_ms)} for one of ${hold.max_in_flight} slots of an endpoint`,
      ]),
      `with at most ${hold.queue_size - 1} others`,
    ]],
    ...(to.pinned
      ? [
        [
          "connection",
          ["one of its own: the client authenticates on it, so that no other client's request is sent there"],
        ] as const,
      ]
      : []),
    ...(to.credential === "" ? [] : [["credential", [to.credential]] as const]),
    ["body", [bodyText(to)]],
    ["sent again", retryLines(to.retry.cases)],
    ["timeouts", [
      `connect ${printDuration(timeouts.connect_ms)}, first byte ${printDuration(timeouts.first_byte_ms)}, ` +
      `pause within a body ${printDuration(timeouts.body_idle_ms)}`,
    ]],
    ["sent", to.request_line === "" ? ["what comes through the tunnel"] : [to.request_line, ...to.fields]],
  ];

  function bodyText({ body: { request_buffer: limit } }: ExplainedForwarding): string {
    if (body.handling === "none") return "none";
    if (body.handling === "buffered") return `${body.bytes ?? 0} bytes, read in full before it is sent`;
    const length = body.bytes === null ? "of unknown length" : `${body.bytes} bytes`;
    const most = printSize(limit);
    const how = body.handling === "streamed"
      ? "passed on as it comes"
      : `read in full before it is sent, passed on as it comes if it is longer than ${most}`;
    return `${length}, ${how}; cannot be sent again once more than ${most} are gone`;
  }
}

const BECAUSE: Readonly<Record<ExplainedRetry["because"], string>> = {
  "": "yes",
  response_begun: "no: the answer has begun",
  pinned: "no: the client authenticates on that connection",
  exhausted: "no",
  not_idempotent: "no: it may have taken effect already",
  body_not_replayable: "no: the body is gone by then",
};

/** One line for each, those that end alike in one. */
function retryLines(cases: readonly ExplainedRetry[]): string[] {
  const lines = new Map<string, string[]>();
  for (const { failure, connection, because } of cases) {
    const which = connection === "reused" ? "reused" : "new";
    const what = typeof failure === "number"
      ? String(failure)
      : failure === "reset"
      ? `reset of a ${which} connection`
      : failure;
    lines.set(because, [...lines.get(because) ?? [], what]);
  }
  return [...lines].map(([because, what]) =>
    `after ${what.join(", ")}: ${BECAUSE[because as keyof typeof BECAUSE]}`
  );
}
