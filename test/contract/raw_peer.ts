/**
 * A peer over node:net, scripted by a scenario: an independent judge of what an adapter puts on the wire.
 * Every runtime has node:net; only its plainest parts are used here.
 */
import assert from "node:assert/strict";
import * as net from "node:net";
import type { Lab } from "./lab.ts";
import type { Pattern } from "./pattern.ts";
import { Waiting } from "./watch.ts";

export class RawPeer extends Waiting {
  readonly socket: net.Socket;
  receivedBytes = 0;
  endedSeen = false;
  /** "" while open, "closed", or the code of the error that came first. */
  gone = "";
  /** Pattern that the arriving bytes must be. */
  expects: Pattern | null = null;
  mismatch = "";
  text = "";
  onData: () => void = () => {};

  constructor(lab: Lab, socket: net.Socket) {
    super();
    this.socket = socket;
    lab.defer(() => socket.destroy());
    socket.on("data", (bytes: Uint8Array) => {
      const at = this.expects?.mismatch(bytes, this.receivedBytes) ?? -1;
      if (at >= 0 && this.mismatch === "") this.mismatch = `byte ${this.receivedBytes + at} is wrong`;
      if (this.expects === null) this.text += new TextDecoder().decode(bytes);
      this.receivedBytes += bytes.length;
      this.onData();
      this.check();
    });
    socket.on("end", () => {
      this.endedSeen = true;
      this.check();
    });
    socket.on("error", (error: Error & { code?: string }) => {
      if (this.gone === "") this.gone = error.code ?? error.message;
      this.check();
    });
    socket.on("close", () => {
      if (this.gone === "") this.gone = "closed";
      this.check();
    });
  }

  override name(): string {
    return "raw peer";
  }

  override over(): string {
    return this.gone;
  }

  /** Sends pattern bytes as fast as node:net wants them. */
  async send(pattern: Pattern, length: number, pieceBytes = 65_521): Promise<void> {
    for (let sent = 0; sent < length;) {
      const piece = pattern.bytes(sent, Math.min(pieceBytes, length - sent));
      sent += piece.length;
      if (this.gone !== "") return;
      await this.#written(piece);
    }
  }

  say(text: string): void {
    this.socket.write(text);
  }

  /** FIN; reading goes on. */
  finish(): void {
    this.socket.end();
  }

  /** RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  whenReceived(length: number): Promise<void> {
    return this.until(`${length} bytes received`, () => this.receivedBytes >= length);
  }

  async whenEnded(): Promise<void> {
    await this.until("the end", () => this.endedSeen);
    assert.equal(this.mismatch, "");
  }

  async whenGone(): Promise<string> {
    await this.until("close", () => this.gone !== "");
    return this.gone;
  }

  /** Resolves when node:net has passed the bytes on, or given them up. */
  #written(bytes: Uint8Array): Promise<void> {
    // Not "drain": Deno does not always tell it after the peer's FIN.
    return new Promise((resolve) => {
      this.socket.once("close", resolve);
      this.socket.write(bytes, () => {
        this.socket.off("close", resolve);
        resolve();
      });
    });
  }
}

/** A raw client, connected. */
export async function rawConnect(lab: Lab, port: number): Promise<RawPeer> {
  const socket = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
  const peer = new RawPeer(lab, socket);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return peer;
}

/** A raw server on a free port. */
export class RawServer extends Waiting {
  readonly #server: net.Server;
  readonly #peers: RawPeer[] = [];
  #port = 0;

  constructor(lab: Lab) {
    super();
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#peers.push(new RawPeer(lab, socket));
      this.check();
    });
    lab.defer(() => this.#server.close());
  }

  get address(): { kind: "tcp"; host: string; port: number } {
    return { kind: "tcp", host: "127.0.0.1", port: this.#port };
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await new Promise<void>((resolve, reject) => {
      this.#server.once("listening", resolve);
      this.#server.once("error", reject);
    });
    this.#port = (this.#server.address() as net.AddressInfo).port;
  }

  async accept(): Promise<RawPeer> {
    await this.until("a raw connection", () => this.#peers.length > 0);
    return this.#peers.shift() as RawPeer;
  }
}

export async function rawServer(lab: Lab): Promise<RawServer> {
  const server = new RawServer(lab);
  await server.listen();
  return server;
}
