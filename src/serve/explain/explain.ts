/**
 * Says what would become of a request by letting the real program have it on a platform where nothing
 * leaves: whatever is reported is what its own code did, down to the last field line.
 */

import { printAddress } from "../../config/values/address.ts";
import {
  type Clock,
  type Runtime,
  ScriptLoadFault,
  type System,
  SystemError,
  type TlsSession,
} from "../../../runtime/contract/contract.ts";
import type { Config, UpstreamConfig } from "../../config/values/config.ts";
import type { ExplainRequest, Outcome } from "../../control/plane.ts";
import type { Status } from "../../process/worker/status.ts";
import type { EndedExchange } from "../../exchange/ended_exchange.ts";
import type { RetryPolicy } from "../../exchange/retry.ts";
import { Gateway } from "../../gateway/gateway.ts";
import type { Snapshot } from "../../gateway/snapshot.ts";
import type { LocalAnswer } from "../../script/script_host.ts";
import { explainProxying, isForProxy, usedUpstream } from "./explain_forward.ts";
import { passProxies } from "./dry_proxies.ts";
import { DryRuntime, DrySocket } from "./dry_runtime.ts";
import type { ExplainedAnswer, ExplainedForwarding, Explanation } from "./explanation.ts";
import type { LoadedScripts } from "../../process/worker/loaded_scripts.ts";
import { DryScripts, type Stub } from "../dry/dry_scripts.ts";
import { buildSnapshot } from "../../process/worker/snapshot.ts";
import { retryCases } from "./retry_cases.ts";

/** Where the request is taken to come from. */
const CLIENT = "127.0.0.1";
/** The answer that the endpoint is taken to give. */
const SAMPLE_ANSWER = "HTTP/1.1 204 No Content\r\n\r\n";
/** Nothing is read, and nothing run. */
const SAMPLE_SECRET = { kind: "sample" } as const;
/** Pieces in which a body is fed. */
const PIECE = "x".repeat(16 * 1024);

/**
 * @param status of the Sluice that runs with this configuration; null = none does
 */
export async function explain(
  runtime: Runtime,
  system: System,
  config: Config,
  request: ExplainRequest,
  status: Status | null,
  stubs: ReadonlyMap<string, Stub> = new Map(),
): Promise<Outcome<{ readonly explanation: Explanation }>> {
  if (config.script !== null && status !== null) {
    // One that does not come to an end would end this process.
    const message =
      "Scripts are not tried in the process that serves: sluice explain --config FILE tries them in its own.";
    return { ok: false, code: "not_possible", message };
  }
  const scripts = new DryScripts(runtime.clock, system);
  for (const [name, stub] of stubs) scripts.stubs.set(name, stub);
  let loaded: LoadedScripts | null = null;
  try {
    loaded = await scripts.load(config, true);
    const effective = loaded?.upstreams.over(config) ?? config;
    return await explainWith(runtime, system, effective, request, status, scripts, loaded);
  } catch (error) {
    if (!(error instanceof ScriptLoadFault)) throw error;
    return { ok: false, code: "invalid", message: error.message };
  } finally {
    await loaded?.end();
  }
}

async function explainWith(
  runtime: Runtime,
  system: System,
  config: Config,
  request: ExplainRequest,
  status: Status | null,
  scripts: DryScripts,
  loaded: LoadedScripts | null,
): Promise<Outcome<{ readonly explanation: Explanation }>> {
  const forProxy = config.forward !== null && isForProxy(request);
  const parts = requestParts(request, forProxy);
  if (typeof parts === "string") return { ok: false, code: "invalid", message: parts };
  const dry = new DryRuntime(runtime);
  const seen = new Seen();
  const snapshot = await snapshotFor(dry, system, config, request, seen, loaded);
  if (typeof snapshot === "string") return { ok: false, code: "not_possible", message: snapshot };
  const gateway = new Gateway(dry, snapshot, seen);
  scripts.requests = gateway.scriptHost;
  const { forward } = snapshot;
  const proxied = forProxy && forward !== null
    ? await explainProxying(request, forward, CLIENT, request.resolve === true ? runtime : null)
    : null;
  dry.addresses.set(proxied?.host ?? "", proxied?.addresses?.map(({ address }) => address) ?? []);
  await gateway.bind({
    address: { kind: "tcp", host: CLIENT, port: 8080 },
    backlog: 1,
    reusePort: false,
    tls: null,
    handshakeTimeoutMs: 1000,
  }, forProxy);
  const client = dry.connect(CLIENT, parts.tls);
  client.feed(`${parts.requestLine}\r\n${parts.fields.map((line) => `${line}\r\n`).join("")}\r\n`);
  feedBody(dry, client, request.body_bytes);
  if (config.script !== null) {
    await decided(
      runtime.clock,
      config.script.timeoutMs,
      () => dry.dials.length > 0 || client.written !== "",
    );
  }
  const endpoint = openFirst(dry);
  const before = endpoint === null ? 0 : await passProxies(endpoint.socket);
  const sent = endpoint?.socket.written.slice(before) ?? "";
  endpoint?.socket.feed(SAMPLE_ANSWER);
  client.lose();
  endpoint?.socket.lose();

  const said = {
    method: request.method,
    target: parts.target,
    fields: parts.fields,
    route: seen.route,
    upstream: seen.upstream,
    ...(proxied === null ? {} : { proxied }),
    ...(loaded === null ? {} : { scripts: scripts.notes }),
  };
  if (endpoint !== null && seen.retry === null && proxied !== null) {
    const answer = answerOf(client.written, null);
    return { ok: true, explanation: { ...said, outcome: "tunnelled", answer, forwarded: null } };
  }
  const upstream = usedUpstream(config, seen.upstream, proxied !== null);
  if (endpoint === null || upstream === undefined || seen.retry === null) {
    const explanation: Explanation = {
      ...said,
      outcome: "answered",
      answer: answerOf(client.written, seen.local),
      forwarded: null,
    };
    return { ok: true, explanation };
  }
  const to = forwarding(upstream, request, seen.retry, seen, sent, endpoint.name, status);
  const forwarded = to.endpoints.some(({ first }) => first) ? to : {
    ...to,
    endpoints: [{ name: endpoint.name, weight: 1, state: null, first: true }],
  };
  return { ok: true, explanation: { ...said, outcome: "forwarded", answer: null, forwarded } };
}

/** Resolves when it is known what becomes of the request, or when a script has had all its time. */
async function decided(clock: Clock, mostMs: number, known: () => boolean): Promise<void> {
  const end = clock.now() + mostMs;
  while (!known() && clock.now() < end) {
    // Nothing else keeps the process from ending.
    await new Promise<void>((resolve) => void clock.setTimer(1, resolve));
  }
}

/** @returns why the configuration cannot be used, if it cannot */
async function snapshotFor(
  dry: DryRuntime,
  system: System,
  config: Config,
  { user }: ExplainRequest,
  seen: Seen,
  scripts: LoadedScripts | null,
): Promise<Snapshot | string> {
  try {
    const { snapshot } = await buildSnapshot(
      dry,
      system,
      withoutFiles(config),
      seen,
      undefined,
      undefined,
      null,
      [],
      undefined,
      scripts,
    );
    const { forward } = snapshot;
    if (user === undefined || forward === null) return snapshot;
    return { ...snapshot, forward: { ...forward, auth: null, clients: null } };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return error.message;
  }
}

/** What the program tells while it has the request. */
class Seen {
  route: string | null = null;
  upstream: string | null = null;
  retry: RetryPolicy | null = null;
  pinned = false;
  credential = "";
  local: Pick<LocalAnswer, "reason" | "detail"> | null = null;

  exchangeDone(exchange: EndedExchange): void {
    this.route = exchange.route.name;
    this.upstream = exchange.source.name;
    this.retry = exchange.retry;
    this.pinned = exchange.pinned;
    this.credential = exchange.offeredCredential;
    if (exchange.reason !== "") this.local ??= { reason: exchange.reason, detail: exchange.detail };
  }
  answeredLocally(answer: LocalAnswer): void {
    this.local ??= answer;
    this.route ??= answer.route?.name ?? null;
  }
  tunnelOpened(): void {}
  tunnelClosed(): void {}
  endpointDown(): void {}
  endpointUp(): void {}
  acceptFailed(): void {}
}

interface RequestParts {
  readonly requestLine: string;
  readonly target: string;
  readonly fields: readonly string[];
  readonly tls: TlsSession | null;
}

/** The bytes of the request, or what is wrong with the question. */
function requestParts(
  { method, url, headers, body_bytes: bodyBytes, user, resolve }: ExplainRequest,
  forProxy: boolean,
): RequestParts | string {
  if (!forProxy && (user !== undefined || resolve === true)) {
    return "user and resolve are for requests to a forward proxy: CONNECT, or a whole URL, where there is one";
  }
  if (forProxy && headers.some((line) => /^proxy-authorization:/i.test(line))) {
    return "header: credentials are not tried here; say whose request it is (user)";
  }
  const match = /^(?:(https?):\/\/([^/?#]*))?([^#]*)/i.exec(url);
  const [, scheme = "http", authority, rest = ""] = match ?? [];
  const path = rest === "" ? "/" : rest.startsWith("?") ? `/${rest}` : rest;
  const target = forProxy ? url : path;
  const host = forProxy && method === "CONNECT" ? url : authority;
  const named = headers.some((line) => /^host:/i.test(line));
  const framed = headers.some((line) => /^(?:content-length|transfer-encoding):/i.test(line));
  const fields = [
    ...(named ? [] : [`Host: ${host ?? "localhost"}`]),
    ...headers,
    ...(framed || bodyBytes === 0
      ? []
      : [bodyBytes === null ? "Transfer-Encoding: chunked" : `Content-Length: ${bodyBytes}`]),
  ];
  for (const [what, text] of [["method", method], ["url", url], ...headers.map((line) => ["header", line])]) {
    const code = [...text ?? ""].find((character) =>
      character < " " || character > "\xff" || character === "\x7f"
    );
    if (code !== undefined && code !== "\t") return `${what}: holds a character that no request can hold`;
  }
  const odd = headers.find((line) => !/^[^\s:]+:/.test(line));
  if (odd !== undefined) return `header: must be "Name: value", got ${JSON.stringify(odd.slice(0, 60))}`;
  const tls = scheme.toLowerCase() === "https" && !forProxy
    ? { alpn: "", serverName: "", version: "" }
    : null;
  return { requestLine: `${method} ${target} HTTP/1.1`, target, fields, tls };
}

/** As much of the body as it takes until the program goes for an endpoint, or refuses. */
function feedBody(dry: DryRuntime, client: DrySocket, bodyBytes: number | null): void {
  let left = bodyBytes ?? Infinity;
  while (left > 0 && dry.dials.length === 0 && client.written === "" && !client.paused) {
    const piece = left < PIECE.length ? PIECE.slice(0, left) : PIECE;
    client.feed(bodyBytes === null ? `${piece.length.toString(16)}\r\n${piece}\r\n` : piece);
    left -= piece.length;
  }
}

/** The connection that the program asks for is opened. */
function openFirst(dry: DryRuntime): { readonly socket: DrySocket; readonly name: string } | null {
  const dial = dry.dials.shift();
  if (dial === undefined) return null;
  const { address, prohibited } = dial;
  if (prohibited !== null) {
    const host = address.kind === "tcp" ? address.host : "";
    dial.events.failed({ code: "destination_ip_prohibited", detail: `${host}: ${prohibited}` });
    return null;
  }
  const socket = new DrySocket(address.kind === "tcp" ? address.host : "", null);
  socket.events = dial.events.opened(socket);
  return { socket, name: printAddress(address) };
}

function answerOf(written: string, local: Pick<LocalAnswer, "reason" | "detail"> | null): ExplainedAnswer {
  const [statusLine = "", ...fields] = (written.split("\r\n\r\n")[0] ?? "").split("\r\n");
  return {
    status: Number(statusLine.split(" ")[1] ?? 0),
    reason: local?.reason ?? "",
    detail: local?.detail ?? "",
    fields,
  };
}

function forwarding(
  upstream: UpstreamConfig,
  request: ExplainRequest,
  policy: RetryPolicy,
  { pinned, credential }: Pick<Seen, "pinned" | "credential">,
  sent: string,
  first: string,
  status: Status | null,
): ExplainedForwarding {
  const [requestLine = "", ...lines] = (sent.split("\r\n\r\n")[0] ?? "").split("\r\n");
  const fields = lines.map((line) => withoutSecret(line, request, credential));
  const { body_bytes: bytes } = request;
  const live = status?.upstreams.find(({ name }) => name === upstream.name);
  const buffered = bytes !== null && bytes > 0 && bytes <= upstream.requestBufferBytes;
  const replayable = bytes === 0 || buffered;
  const bufferedFirst = bytes === null && upstream.maxInFlight > 0 && upstream.requestBufferBytes > 0;
  return {
    endpoints: upstream.endpoints.map((endpoint) => ({
      name: endpoint.name,
      weight: endpoint.weight,
      state: live?.endpoints.find(({ name }) => name === endpoint.name)?.state ?? null,
      first: printAddress(endpoint.address) === first,
    })),
    policy: upstream.policy,
    pinned,
    credential,
    request_line: requestLine,
    fields,
    hold: {
      hold_ms: upstream.holdMs,
      queue_timeout_ms: upstream.queue.timeoutMs,
      queue_size: upstream.queue.size,
      max_in_flight: upstream.maxInFlight,
      paused: live?.state === "paused",
    },
    body: {
      kind: bytes === 0 ? "none" : bytes === null ? "chunked" : "length",
      bytes,
      handling: bytes === 0 ? "none" : buffered ? "buffered" : bufferedFirst ? "buffered_first" : "streamed",
      replayable,
      request_buffer: upstream.requestBufferBytes,
    },
    retry: {
      tries: policy.tries,
      unanswered_tries: policy.unansweredTries,
      cases: retryCases(request, policy, pinned, replayable, upstream.holdMs),
    },
    timeouts: {
      connect_ms: upstream.connectTimeoutMs,
      first_byte_ms: upstream.firstByteTimeoutMs,
      body_idle_ms: upstream.bodyIdleTimeoutMs,
      tunnel_idle_ms: upstream.tunnelIdleTimeoutMs,
    },
  };
}

/** A field line as it is sent, but for credentials that are not the client's. */
function withoutSecret(line: string, { headers }: ExplainRequest, credential: string): string {
  const [, name = ""] = /^((?:proxy-)?authorization):/i.exec(line) ?? [];
  if (name === "" || headers.includes(line)) return line;
  return credential === "" ? `${name}: ***` : `${name}: *** (credential ${credential})`;
}

/** Certificates of the endpoints have no say in what becomes of a request, and neither have secrets. */
function withoutFiles(config: Config): Config {
  return {
    ...config,
    credentials: config.credentials.map((credential) => ({ ...credential, secret: SAMPLE_SECRET })),
    upstreams: config.upstreams.map((upstream) => ({
      ...upstream,
      tls: { ...upstream.tls, caFile: null, certFile: null, keyFile: null },
    })),
  };
}
