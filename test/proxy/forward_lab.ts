/** What tests of the forward proxy begin and end with: an origin that tests script, a proxy, clients, and their end. */

import assert from "node:assert/strict";
import { formatProblem } from "../../src/config/values/problem.ts";
import type { SluicePlane } from "../../src/control/control_plane.ts";
import { rereadable } from "../../src/serve/config_source.ts";
import { readConfig } from "../../src/serve/read_config.ts";
import { serve } from "../../src/serve/serve.ts";
import { adapterFactory } from "../support/adapter.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { FILES } from "../support/name_lab.ts";
import { TestProxy } from "../support/proxy.ts";
import { RawClient, type RawClientOptions } from "../support/raw_client.ts";
import { type Peer, ScriptedOrigin } from "../support/scripted_origin.ts";
import { turn, watchdogMs, within } from "../support/watchdog.ts";
import { message } from "./lab.ts";

export interface ForwardLab {
  readonly origin: ScriptedOrigin;
  readonly proxy: TestProxy;
  readonly system: MemorySystem;
  /** Host and port of the origin. */
  readonly there: string;
  connect(options?: RawClientOptions): Promise<RawClient>;
  /** A client that has sent `request`, and the origin's end of the connection it was sent on. */
  begin(request: string | Uint8Array): Promise<{ client: RawClient; peer: Peer }>;
  /** An open tunnel to the origin. The answer to CONNECT has been read. */
  tunnel(): Promise<{ client: RawClient; peer: Peer }>;
}

export interface ForwardOptions {
  /** Further lines of the configuration, top level. */
  readonly settings?: string;
  /** Entries of `forward`, a line each. */
  readonly forward?: string;
  /** Files that the configuration names. */
  readonly files?: Readonly<Record<string, string>>;
  /** The platform's list of hosts. */
  readonly hosts?: string;
}

/**
 * Runs `scene`. `ORIGIN` in the settings is the origin's address.
 *
 * @throws what `scene` throws, or an exception of a handler inside the proxy
 */
export async function withForward(
  options: ForwardOptions,
  scene: (lab: ForwardLab) => Promise<void>,
): Promise<void> {
  const origin = await ScriptedOrigin.listen();
  const { settings = "", forward = "", files = {}, hosts = "" } = options;
  const system = new MemorySystem({
    nameFiles: FILES,
    files: { [FILES.hosts]: hosts, [FILES.servers]: "nameserver [127.0.0.1]:9\n", ...files },
  });
  const lines = ["listen: 127.0.0.1:3128", ...forward.split("\n").filter((line) => line.trim() !== "")];
  const yaml = `forward:\n${lines.map((line) => `  ${line}\n`).join("")}${settings}\n`;
  const proxy = await TestProxy.start(yaml.replaceAll("ORIGIN", origin.address), { system, forward: true });
  const clients: RawClient[] = [];
  const connect: ForwardLab["connect"] = async (how) => {
    const client = await RawClient.connect(proxy.port, how);
    clients.push(client);
    return client;
  };
  const begin: ForwardLab["begin"] = async (request) => {
    const client = await connect();
    await client.send(request);
    return { client, peer: await origin.accept() };
  };
  const there = origin.address;
  const tunnel: ForwardLab["tunnel"] = async () => {
    const open = await begin(connectTo(there));
    await open.client.readUntil("\r\n\r\n");
    return open;
  };
  try {
    await scene({ origin, proxy, system, there, connect, begin, tunnel });
  } finally {
    for (const client of clients) client.destroy();
    await proxy.stop();
    await origin.close();
  }
  assert.equal(proxy.gateway.connections, 0);
  assert.equal(proxy.gateway.tunnels, 0);
}

export interface Served {
  readonly plane: SluicePlane;
  readonly system: MemorySystem;
  readonly origin: ScriptedOrigin;
  /** Of the first listener. */
  readonly port: number;
  /** Host and port of the origin. */
  readonly there: string;
  /** Serves this from now on. `ORIGIN` is the origin's address. @returns what has changed */
  reload(yaml: string): Promise<readonly string[]>;
  /** Standard output, once the log has this many lines. */
  logged(lines: number): Promise<readonly string[]>;
}

/**
 * Serves a configuration as the program does, with logs, counters and reloads. `ORIGIN` in it is the origin's address.
 *
 * @param files that it names
 */
export async function serveForward(
  yaml: string,
  files: Readonly<Record<string, string>>,
  act: (served: Served) => Promise<void>,
): Promise<void> {
  const runtime = (await adapterFactory())({ onHandlerError: (error) => assert.fail(String(error)) });
  const origin = await ScriptedOrigin.listen();
  const filled = (text: string) => text.replaceAll("ORIGIN", origin.address);
  const system = new MemorySystem({ files: { "/s.yaml": filled(yaml), ...files } });
  const flags = { config: ["/s.yaml"], control: ["off"], "port-file": ["ports"] };
  const loaded = await readConfig(system, flags);
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.problems.map(formatProblem).join("\n"));
  let made: SluicePlane | null = null;
  const ready = Promise.withResolvers<void>();
  const ended = serve(runtime, system, loaded.config, {
    source: rereadable(runtime.clock, system, flags, loaded),
    onPlane: (plane) => (made = plane),
    onReady: () => ready.resolve(),
  });
  await within(ready.promise, "Sluice to serve");
  const plane = made as SluicePlane | null;
  assert.ok(plane !== null);
  try {
    await act({
      plane,
      system,
      origin,
      there: origin.address,
      port: Number(String(system.files.get("ports")).split("\n")[0]),
      async reload(text) {
        system.files.set("/s.yaml", filled(text));
        const outcome = await within(plane.reload(), "the reload");
        assert.ok(outcome.ok, outcome.ok ? "" : [outcome.message, ...outcome.problems ?? []].join("\n"));
        return outcome.changes;
      },
      async logged(lines) {
        const all = () => system.stdout.split("\n").filter((line) => line !== "");
        const deadline = performance.now() + watchdogMs;
        while (all().length < lines && performance.now() < deadline) await turn();
        return all();
      },
    });
  } finally {
    await plane.stop(true);
    await within(ended, "the end");
    await origin.close();
  }
}

export function connectTo(target: string, ...fields: readonly string[]): string {
  return message([`CONNECT ${target} HTTP/1.1`, `Host: ${target}`, ...fields]);
}

/** Everything until the end of the connection. */
export async function transcriptOf(client: RawClient): Promise<string> {
  await client.readToEnd();
  return client.transcript;
}

/** The text without the part of our name that differs from one process to another. */
export function anonymous(text: string): string {
  return text.replace(/sluice-[0-9a-f]{8}/g, "sluice-*");
}
