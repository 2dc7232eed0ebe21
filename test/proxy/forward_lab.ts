/** What tests of the forward proxy begin and end with: an origin that tests script, a proxy, clients, and their end. */

import assert from "node:assert/strict";
import { MemorySystem } from "../support/memory_system.ts";
import { FILES } from "../support/name_lab.ts";
import { TestProxy } from "../support/proxy.ts";
import { RawClient, type RawClientOptions } from "../support/raw_client.ts";
import { type Peer, ScriptedOrigin } from "../support/scripted_origin.ts";
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
