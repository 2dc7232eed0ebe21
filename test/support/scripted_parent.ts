/**
 * A proxy that another one asks: passes CONNECT on and answers requests for URLs itself, or does what a test tells it to;
 * goes away with all of its connections, and comes back on the same port.
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Certificate } from "./certificates.ts";
import { listenOn } from "./listen_on.ts";

/** What to do about a head. @param head with its empty line */
export type ParentScript = (head: string, socket: Socket) => void;

export class ScriptedParent {
  readonly name: string;
  port = 0;
  /** Heads received, in order. */
  readonly heads: string[] = [];
  connections = 0;
  /** Null = as a proxy does. */
  script: ParentScript | null = null;
  /** Goes on reading heads behind a CONNECT, which it does not tunnel at first. */
  challenges = false;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();

  readonly #certificate: Certificate | null;

  private constructor(name: string, certificate: Certificate | null) {
    this.name = name;
    this.#certificate = certificate;
  }

  /** @param certificate it speaks TLS with it; null = it does not */
  static async listen(
    name = "a",
    script: ParentScript | null = null,
    certificate: Certificate | null = null,
  ): Promise<ScriptedParent> {
    const parent = new ScriptedParent(name, certificate);
    parent.script = script;
    await parent.start();
    return parent;
  }

  get url(): string {
    return `http${this.#certificate === null ? "" : "s"}://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const certificate = this.#certificate;
    const server = certificate === null
      ? createServer({ allowHalfOpen: true }, (socket) => this.#accepted(socket))
      : createTlsServer(certificate, (socket) => this.#accepted(socket));
    this.port = await listenOn(server, this.port);
    this.#server = server;
  }

  /** Ends everything, as the end of a process does. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    const closed = server === null ? null : new Promise<void>((done) => server.close(() => done()));
    for (const socket of this.#sockets) {
      // TLS sockets of Node cannot be reset.
      if (this.#certificate === null) socket.resetAndDestroy?.();
      socket.destroy();
    }
    await closed;
  }

  #accepted(socket: Socket): void {
    this.connections++;
    this.#own(socket);
    let text = "";
    const read = (bytes: Uint8Array) => {
      text += Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end + 4);
        text = text.slice(end + 4);
        this.heads.push(head);
        if (head.startsWith("CONNECT ") && !this.challenges) socket.off("data", read);
        (this.script ?? ((said, to) => this.answer(said, to)))(head, socket);
      }
    };
    socket.on("data", read);
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  /** As a proxy does. */
  answer(head: string, socket: Socket): void {
    const [method = "", target = ""] = head.split(" ");
    if (method !== "CONNECT") {
      const body = `${this.name} was asked for ${target}`;
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${method === "HEAD" ? "" : body}`,
      );
      return;
    }
    this.tunnel(target, socket, "HTTP/1.1 200 OK\r\n\r\n");
  }

  /** Connects to `target` and answers with `head` then. */
  tunnel(target: string, socket: Socket, head: string): void {
    if (this.challenges) socket.removeAllListeners("data");
    const port = Number(target.slice(target.lastIndexOf(":") + 1));
    const there = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    this.#own(there);
    there.once("connect", () => {
      socket.write(head);
      socket.pipe(there);
      there.pipe(socket);
    });
    there.once("error", () => socket.destroy());
    socket.once("close", () => there.destroy());
  }
}
