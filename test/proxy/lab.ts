/** What most proxy tests begin and end with: an origin, a proxy in front of it, clients, and their end. */

import { TestProxy } from "../support/proxy.ts";
import { RawClient, type RawClientOptions } from "../support/raw_client.ts";
import { type Peer, ScriptedOrigin } from "../support/scripted_origin.ts";

export interface Lab {
  readonly origin: ScriptedOrigin;
  readonly proxy: TestProxy;
  /** A client's connection; dropped at the end of the test. */
  connect(options?: RawClientOptions): Promise<RawClient>;
  /** A client that has sent `request`, and the endpoint's end of the connection it was sent on. */
  begin(request: string | Uint8Array): Promise<{ client: RawClient; peer: Peer }>;
}

/**
 * Runs `scene` with a proxy that sends everything to an origin.
 *
 * @param settings further lines of the configuration; with `ORIGIN` (the origin's address) in them they are
 *   the whole of it
 * @throws what `scene` throws, or an exception of a handler inside the proxy
 */
export async function withLab(settings: string, scene: (lab: Lab) => Promise<void>): Promise<void> {
  const origin = await ScriptedOrigin.listen();
  const to = settings.includes("ORIGIN") ? "" : `to: ${origin.address}\n`;
  const proxy = await TestProxy.start(to + settings.replaceAll("ORIGIN", origin.address));
  const clients: RawClient[] = [];
  const connect = async (options?: RawClientOptions): Promise<RawClient> => {
    const client = await RawClient.connect(proxy.port, options);
    clients.push(client);
    return client;
  };
  const begin: Lab["begin"] = async (request) => {
    const client = await connect();
    await client.send(request);
    return { client, peer: await origin.accept() };
  };
  try {
    await scene({ origin, proxy, connect, begin });
  } finally {
    for (const client of clients) client.destroy();
    await proxy.stop();
    await origin.close();
  }
}

/** The text with the values of Date made equal. */
export function undated(text: string): string {
  return text.replace(/^Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r$/gm, "Date: *\r");
}

/** A message out of its lines, with CRLF and the empty line; what follows the head is `body`. */
export function message(lines: readonly string[], body = ""): string {
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** Bytes that tell their position, so that a lost, repeated or reordered piece shows. */
export function patterned(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at++) bytes[at] = (at ^ (at >> 8) ^ (at >> 16) * 7) & 0xff;
  return bytes;
}
