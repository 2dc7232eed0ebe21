/** A Sluice with scripts on a platform where nothing leaves: what a test of a script talks to. One request at a time. */

import type { Clock, Runtime, System } from "../../../runtime/contract/contract.ts";
import type { Config } from "../../config/values/config.ts";
import { printAddress } from "../../config/values/address.ts";
import type { EndedExchange } from "../../exchange/ended_exchange.ts";
import { Gateway } from "../../gateway/gateway.ts";
import type { LocalAnswer } from "../../script/script_host.ts";
import type { LoadedScripts } from "../../process/worker/loaded_scripts.ts";
import { buildSnapshot, type BuiltSnapshot } from "../../process/worker/snapshot.ts";
import { DryRuntime, DrySocket } from "../explain/dry_runtime.ts";
import { type DryNotes, DryScripts, type Stub } from "./dry_scripts.ts";

const CLIENT = "127.0.0.1";
/** Between two looks whether a script has decided. */
const LOOK_MS = 1;

export interface DryRequest {
  readonly method: string;
  readonly uri: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** Address of the client. */
  readonly client: string;
  /** What the endpoint answers, if it is asked. */
  readonly answer: Stub;
}

/** A request as an endpoint gets it. */
export interface DrySent {
  readonly upstream: string;
  readonly endpoint: string;
  readonly method: string;
  readonly uri: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export interface DryAnswer extends DryNotes {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  /** As in Proxy-Status; "" when nothing failed. */
  readonly reason: string;
  readonly detail: string;
  /** Null when Sluice, or a script, has answered itself. */
  readonly sent: DrySent | null;
}

export class DrySluice {
  readonly #clock: Clock;
  readonly #config: Config;
  readonly #scripts: DryScripts;
  readonly #loaded: LoadedScripts | null;
  readonly #built: BuiltSnapshot;
  readonly #dry: DryRuntime;
  readonly #seen: Seen;

  private constructor(
    clock: Clock,
    config: Config,
    scripts: DryScripts,
    loaded: LoadedScripts | null,
    built: BuiltSnapshot,
    dry: DryRuntime,
    seen: Seen,
  ) {
    this.#clock = clock;
    this.#config = config;
    this.#scripts = scripts;
    this.#loaded = loaded;
    this.#built = built;
    this.#dry = dry;
    this.#seen = seen;
  }

  /**
   * @param stubs what sub-requests get, by upstream
   * @throws ScriptLoadFault, SystemError
   */
  static async open(
    runtime: Runtime,
    system: System,
    config: Config,
    stubs: ReadonlyMap<string, Stub>,
  ): Promise<DrySluice> {
    const scripts = new DryScripts(runtime.clock, system);
    for (const [name, stub] of stubs) scripts.stubs.set(name, stub);
    const loaded = await scripts.load(config, true);
    const dry = new DryRuntime(runtime);
    const seen = new Seen();
    const effective = loaded?.upstreams.over(config) ?? config;
    const built = await buildSnapshot(
      dry,
      system,
      effective,
      seen,
      undefined,
      undefined,
      null,
      [],
      undefined,
      loaded,
    );
    return new DrySluice(runtime.clock, effective, scripts, loaded, built, dry, seen);
  }

  async request(request: DryRequest): Promise<DryAnswer> {
    const dry = this.#dry;
    const seen = this.#seen;
    const { notes } = this.#scripts;
    for (const list of [notes.decisions, notes.asked, notes.faults, notes.said]) list.length = 0;
    seen.clear();
    const gateway = new Gateway(dry, this.#built.snapshot, seen);
    this.#scripts.requests = gateway.scriptHost;
    const address = { kind: "tcp", host: CLIENT, port: 8080 } as const;
    await gateway.bind({ address, backlog: 1, reusePort: false, tls: null, handshakeTimeoutMs: 1000 });
    const client = dry.connect(request.client, null);
    client.feed(requestText(request));
    await this.#until(() => dry.dials.length > 0 || client.written !== "" || client.gone);
    const sent = await this.#answerAll(request, client);
    const answer = parsedAnswer(client.written);
    client.lose();
    await gateway.abortAll();
    dry.dials.length = 0;
    return {
      ...answer,
      reason: seen.reason,
      detail: seen.detail,
      sent,
      decisions: [...notes.decisions],
      asked: [...notes.asked],
      faults: [...notes.faults],
      said: [...notes.said],
    };
  }

  /** Runs the `onStop` of the scripts. */
  async close(): Promise<void> {
    await this.#loaded?.end();
    for (const upstream of this.#built.upstreams) upstream.stop();
  }

  /** Every endpoint that is asked answers; the one that the client waits for is the last that is asked before its answer. */
  async #answerAll(request: DryRequest, client: DrySocket): Promise<DrySent | null> {
    let sent: DrySent | null = null;
    for (let dial = this.#dry.dials.shift(); dial !== undefined; dial = this.#dry.dials.shift()) {
      const { address } = dial;
      const socket = new DrySocket(address.kind === "tcp" ? address.host : "", null);
      socket.events = dial.events.opened(socket);
      await this.#until(() => isWhole(socket.written));
      const message = parsedRequest(socket.written);
      const endpoint = printAddress(address);
      const upstream = this.#config.upstreams.find(({ endpoints }) =>
        endpoints.some((each) => printAddress(each.address) === endpoint)
      );
      const before = client.written.length;
      socket.feed(answerText(request.answer, message.method));
      await this.#until(() => client.written.length > before || this.#dry.dials.length > 0);
      // A copy (mirror) is answered as well, and nobody waits for that.
      if (client.written.length > before || sent === null) {
        sent = { upstream: upstream?.name ?? "", endpoint, ...message };
      }
      socket.lose();
    }
    return sent;
  }

  /** Time passes for scripts; at most what a promise of one may take, and a moment. */
  async #until(holds: () => boolean): Promise<void> {
    const end = this.#clock.now() + (this.#config.script?.timeoutMs ?? 0) + 50;
    while (!holds() && this.#clock.now() < end) {
      await new Promise<void>((resolve) => void this.#clock.setTimer(LOOK_MS, resolve));
    }
  }
}

/** What the gateway tells of a request. */
class Seen {
  reason = "";
  detail = "";

  clear(): void {
    this.reason = "";
    this.detail = "";
  }
  exchangeDone({ reason, detail }: EndedExchange): void {
    this.#failed(reason, detail);
  }
  answeredLocally({ reason, detail }: LocalAnswer): void {
    this.#failed(reason, detail);
  }
  #failed(reason: string, detail: string): void {
    if (this.reason !== "" || reason === "") return;
    this.reason = reason;
    this.detail = detail;
  }
  takeNumber(): number {
    return 1;
  }
  tunnelOpened(): void {}
  tunnelClosed(): void {}
  endpointDown(): void {}
  endpointUp(): void {}
  acceptFailed(): void {}
}

function requestText({ method, uri, headers, body }: DryRequest): string {
  const has = (name: string) => headers.some(([each]) => each.toLowerCase() === name);
  const bytes = latin1(body);
  const lines = [
    `${method} ${uri} HTTP/1.1`,
    ...(has("host") ? [] : ["Host: test"]),
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(bytes === "" || has("content-length") ? [] : [`Content-Length: ${bytes.length}`]),
  ];
  return `${lines.join("\r\n")}\r\n\r\n${bytes}`;
}

function answerText({ status, headers, body }: Stub, method: string): string {
  const bytes = latin1(body);
  const bodiless = status === 204 || status === 304;
  const lines = [
    `HTTP/1.1 ${status} Stub`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(bodiless ? [] : [`Content-Length: ${bytes.length}`]),
  ];
  return `${lines.join("\r\n")}\r\n\r\n${bodiless || method === "HEAD" ? "" : bytes}`;
}

/** UTF-8 bytes, one character each. */
function latin1(text: string): string {
  let bytes = "";
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return bytes;
}

function utf8(bytes: string): string {
  return new TextDecoder().decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
}

interface Parsed {
  readonly startLine: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

/** Of our own writing, so nothing in it is odd. */
function parsed(text: string): Parsed {
  const end = text.indexOf("\r\n\r\n");
  const [startLine = "", ...lines] = (end < 0 ? text : text.slice(0, end)).split("\r\n");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  const rest = end < 0 ? "" : text.slice(end + 4);
  const chunked = headers.some(([name]) => name.toLowerCase() === "transfer-encoding");
  return { startLine, headers, body: utf8(chunked ? unchunked(rest) : rest) };
}

function unchunked(text: string): string {
  let body = "";
  for (let at = 0; at < text.length;) {
    const line = text.indexOf("\r\n", at);
    const size = line < 0 ? 0 : parseInt(text.slice(at, line), 16);
    if (!(size > 0)) break;
    body += text.slice(line + 2, line + 2 + size);
    at = line + 4 + size;
  }
  return body;
}

function isWhole(text: string): boolean {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /^content-length: *(\d+)/im.exec(text.slice(0, end));
  if (length !== null) return text.length >= end + 4 + Number(length[1]);
  return /^transfer-encoding:/im.test(text.slice(0, end)) ? text.endsWith("0\r\n\r\n") : true;
}

function parsedRequest(text: string): Pick<DrySent, "method" | "uri" | "headers" | "body"> {
  const { startLine, headers, body } = parsed(text);
  const [method = "", uri = ""] = startLine.split(" ");
  return { method, uri, headers, body };
}

function parsedAnswer(text: string): Pick<DryAnswer, "status" | "headers" | "body"> {
  const { startLine, headers, body } = parsed(text.replace(/^(?:HTTP\/1\.1 1\d\d [^]*?\r\n\r\n)+/, ""));
  return { status: Number(startLine.split(" ")[1] ?? 0), headers, body };
}
