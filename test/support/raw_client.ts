/** A client that says exactly the bytes a test tells it to, and judges the answers strictly. */

import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { type ReadResponse, readResponse, type ReadResponseOptions } from "./http_reader.ts";
import { within } from "./watchdog.ts";
import { Wire } from "./wire.ts";

/** A port of 127.0.0.1, another host's, or the path of a Unix socket. */
export type ClientTarget = number | { readonly host: string; readonly port: number } | {
  readonly path: string;
};

export interface RawClientOptions {
  /** Speak TLS with these options. */
  readonly tls?: ConnectionOptions;
  /** Begin paused: nothing is read until `resume`. */
  readonly paused?: boolean;
}

export class RawClient extends Wire {
  /** Resolves when the connection (with `tls`: the session) is open. */
  static connect(target: ClientTarget, options: RawClientOptions = {}): Promise<RawClient> {
    const where = typeof target === "number" ? { host: "127.0.0.1", port: target } : target;
    const opening = new Promise<RawClient>((resolve, reject) => {
      const open = { ...where, allowHalfOpen: true };
      const socket: Socket = options.tls === undefined
        ? connectPlain(open)
        : connectTls({ ...open, ...options.tls });
      socket.once("error", reject);
      socket.once(options.tls === undefined ? "connect" : "secureConnect", () => {
        socket.removeListener("error", reject);
        const client = new RawClient(socket);
        if (options.paused === true) client.pause();
        resolve(client);
      });
    });
    return within(opening, `a connection to ${JSON.stringify(target)}`);
  }

  /** Reads the next final response. @throws MalformedMessage, EndedEarly, WatchdogError */
  readResponse(options: ReadResponseOptions = {}): Promise<ReadResponse> {
    return readResponse(this.inbox, options);
  }

  /** Sends a whole request and reads its response. `method` is taken from the bytes. */
  async ask(request: string, options: ReadResponseOptions = {}): Promise<ReadResponse> {
    // A server may answer and close before it has read all: then the answer counts, not the write.
    const sent = this.send(request).catch(() => {});
    const response = await this.readResponse({ method: request.slice(0, request.indexOf(" ")), ...options });
    await Promise.race([sent, this.closed]);
    return response;
  }
}

/** Opens a connection, asks once, closes. */
export async function askOnce(
  target: ClientTarget,
  request: string,
  options: ReadResponseOptions & RawClientOptions = {},
): Promise<ReadResponse> {
  const client = await RawClient.connect(target, options);
  try {
    return await client.ask(request, options);
  } finally {
    client.destroy();
  }
}
