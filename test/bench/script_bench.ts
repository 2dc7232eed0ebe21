/**
 * What a script costs a request, above the sockets: `bun test/bench/script_bench.ts`. The rows take turns, so that a busy
 * machine is busy for all of them; printed are the 10th percentile of the turns, in nanoseconds per request, and what is more
 * than without a script. `noted`: as in a worker that is a process of its own.
 */

import { loadConfig } from "../../src/config/load_config.ts";
import { buildSnapshot } from "../../src/process/worker/snapshot.ts";
import { NOTE_BYTES, ScriptNote } from "../../src/process/shared/script_note.ts";
import { Gateway } from "../../src/gateway/gateway.ts";
import { next, pass, respond, to } from "../../src/script/decision.ts";
import { Script } from "../../src/script/script.ts";
import { NO_FAULTS } from "../../src/script/script_faults.ts";
import type { HttpRequest, ScriptHooks } from "../../src/script/script_types.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { CountingRuntime, type CountingSocket } from "./counting_socket.ts";

const TURNS = 300;
const REQUESTS = 2000;

interface Row {
  readonly name: string;
  readonly client: CountingSocket;
  readonly upstream: CountingSocket;
  readonly isAnswered: boolean;
  /** It needs the engine's queue of promises. */
  readonly isAsync: boolean;
  readonly turns: number[];
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

async function row(
  name: string,
  hooks: ScriptHooks | null,
  kind: "sent" | "answered" | "async" = "sent",
  noted = false,
): Promise<Row> {
  const loaded = loadConfig({ flags: { to: ["127.0.0.1:3000"] }, env: {}, file: null });
  if (!loaded.ok) throw new Error("configuration");
  const runtime = new CountingRuntime();
  const script = hooks === null ? null : new Script(name, hooks as Readonly<Record<string, unknown>>, {
    timeoutMs: 10_000,
    passesOnError: false,
    guard: null,
    note: noted ? new ScriptNote(new Uint8Array(new ArrayBuffer(NOTE_BYTES))) : null,
  });
  const observer = {
    exchangeDone() {},
    tunnelOpened() {},
    tunnelClosed() {},
    endpointDown() {},
    endpointUp() {},
  };
  const scripts = script === null ? null : { global: script, faults: NO_FAULTS, of: () => script };
  const system = new MemorySystem();
  const { snapshot } = await buildSnapshot(
    runtime,
    system,
    loaded.config,
    observer,
    undefined,
    undefined,
    null,
    [],
    undefined,
    scripts,
  );
  const gateway = new Gateway(runtime, snapshot, { answeredLocally() {}, acceptFailed() {} });
  await gateway.listen({
    address: { kind: "tcp", host: "127.0.0.1", port: 8080 },
    backlog: 1,
    reusePort: false,
    tls: null,
    handshakeTimeoutMs: 1,
  });
  const client = runtime.connectClient();
  client.events.data(bytes(BROWSER));
  await undefined;
  await undefined;
  await new Promise((resolve) => setTimeout(resolve, 1));
  let upstream = client;
  if (kind !== "answered") {
    upstream = runtime.open();
    upstream.events.data(bytes("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { name, client, upstream, isAnswered: kind === "answered", isAsync: kind === "async", turns: [] };
}

async function turn({ client, upstream, isAnswered, isAsync, turns }: Row): Promise<void> {
  const writes = client.writes;
  const begun = performance.now();
  for (let i = 0; i < REQUESTS; i++) {
    client.events.data(ASKED);
    if (isAsync) {
      await undefined;
      await undefined;
      await undefined;
      await undefined;
    }
    if (!isAnswered) upstream.events.data(ANSWERED);
  }
  turns.push(((performance.now() - begun) * 1e6) / REQUESTS);
  if (client.writes - writes !== REQUESTS) throw new Error(`${client.writes - writes} answers`);
}

const BROWSER = [
  "GET /some/page?with=query HTTP/1.1",
  "Host: www.example.org",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes",
  "Sec-Fetch-Dest: document",
  "Sec-Fetch-Mode: navigate",
].join("\r\n") + "\r\n\r\n";
const SMALL = "GET /0k HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
const ASKED = bytes(process.argv.includes("--small") ? SMALL : BROWSER);
const ANSWERED = bytes(
  "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" +
    "Content-Type: text/plain\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n",
);

const app = to("default");
const three = to("default", { headers: { "X-One": "1", "X-Two": "2", "X-Three": "3" } });
const hard = pass({ headers: { Server: null, "X-Frame-Options": "DENY" } });
const hello = respond(200, "hello world\n");

const rows = [
  await row("no script", null),
  await row("decides nothing", { onRequest: () => {} }),
  await row("decides nothing, noted", { onRequest: () => {} }, "sent", true),
  await row("constant upstream by path", { onRequest: (r: HttpRequest) => r.path === "/0k" ? app : app }),
  await row("cookie", { onRequest: (r: HttpRequest) => r.cookie("theme") === "dark" ? app : undefined }),
  await row("three fields, constant", { onRequest: () => three }),
  await row("three fields, made anew", {
    onRequest: () => next({ headers: { "X-One": "1", "X-Two": "2", "X-Three": "3" } }),
  }),
  await row("onResponse, nothing", { onResponse: () => {} }),
  await row("onResponse, constant edits", { onResponse: () => hard }),
  await row("onLog", { onLog: () => {} }),
  await row("async, nothing", { onRequest: async () => {} }, "async"),
  await row("answers itself", { onRequest: () => hello }, "answered"),
  await row("answers itself, noted", { onRequest: () => hello }, "answered", true),
  await row("answers itself, object", { onRequest: () => ({ body: "hello world\n" }) }, "answered"),
];
for (let at = 0; at < TURNS; at++) for (const each of rows) await turn(each);
const least = ({ turns }: Row): number => turns.sort((a, b) => a - b)[Math.floor(TURNS / 10)] as number;
const without = least(rows[0] as Row);
for (const each of rows) {
  const ns = least(each);
  const more = each.isAnswered ? "" : `${(ns - without).toFixed(0).padStart(7)} more`;
  console.log(`${each.name.padEnd(28)} ${ns.toFixed(0).padStart(7)} ns ${more}`);
}
