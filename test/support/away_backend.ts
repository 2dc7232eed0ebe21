/**
 * The backend Sluice was made for: it takes one connection, closes its listening socket, serves one
 * request, and listens again a moment later.
 */

import { createHash } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import type { ReadRequest } from "./http_reader.ts";
import { Peer } from "./scripted_origin.ts";
import { watchdogMs, within } from "./watchdog.ts";

export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** What `AwayBackend` answers to a request, so that a client can judge the body. */
export function expectedAnswer(method: string, target: string, body: Uint8Array): string {
  return `${method} ${target} ${body.length} ${sha256(body)}\n`;
}

export class AwayBackend {
  readonly awayMs: number;
  /** Time for which a request is worked on. */
  readonly workMs: number;
  port = 0;
  /** Targets in the order in which they were served. */
  readonly served: string[] = [];
  /** Requests worked on at the same time, at most. */
  mostAtOnce = 0;
  readonly errors: unknown[] = [];
  readonly #peers: Peer[] = [];
  #atOnce = 0;
  #server: Server | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #stopped = false;

  private constructor(awayMs: number, workMs: number) {
    this.awayMs = awayMs;
    this.workMs = workMs;
  }

  static async start(awayMs: number, workMs = 0): Promise<AwayBackend> {
    const backend = new AwayBackend(awayMs, workMs);
    await within(new Promise<void>((resolve) => backend.#listen(resolve)), "the backend to listen");
    return backend;
  }

  #listen(ready: () => void): void {
    if (this.#stopped) return;
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      server.close();
      this.#server = null;
      void this.#serve(socket);
      // Not a sleep of the test: being away for this long is what this backend does.
      this.#timer = setTimeout(() => this.#listen(() => {}), this.awayMs);
    });
    this.#server = server;
    server.on("error", () => {
      this.#timer = setTimeout(() => this.#listen(ready), 2);
    });
    server.listen({ host: "127.0.0.1", port: this.port }, () => {
      const address = server.address();
      if (address !== null && typeof address === "object") this.port = address.port;
      ready();
    });
  }

  async #serve(socket: Socket): Promise<void> {
    const peer = new Peer(socket, this.#peers.length + 1);
    peer.record = false;
    peer.inbox.watchdogMs = Infinity;
    this.#peers.push(peer);
    try {
      const request = await peer.readRequest();
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
      this.served.push(request.target);
      if (this.workMs > 0) await new Promise((resolve) => setTimeout(resolve, this.workMs));
      this.#atOnce--;
      await peer.respond({ body: answerTo(request), close: true });
      await peer.halfClose();
    } catch (error) {
      if (!this.#stopped) this.errors.push(error);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#server?.close();
    for (const peer of this.#peers) peer.destroy();
    await Promise.all(this.#peers.map((peer) => peer.untilClosed(watchdogMs)));
  }
}

function answerTo(request: ReadRequest): string {
  return expectedAnswer(request.method, request.target, request.body);
}
