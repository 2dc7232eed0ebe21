/**
 * A proxy in memory in front of origins that authenticate connections, as NTLM and Kerberos do: an origin marks its
 * connection at the login and answers everything that comes on it later in that user's name.
 */

import assert from "node:assert/strict";
import type { Socket } from "../../runtime/contract/contract.ts";
import { FakeClock } from "./fake_clock.ts";
import { Peer } from "./memory_lab.ts";
import type { MemoryNetworkOptions } from "./memory_network.ts";
import { createMemoryRuntime, type MemoryListener, type MemoryRuntime } from "./memory_runtime.ts";
import { TestProxy } from "./proxy.ts";

/** Who a connection belongs to, and what is wrong with it. */
export class SessionPeer extends Peer {
  readonly origin: SessionOrigin;
  /** "" = nobody has logged in. */
  user = "";
  /** The first message of an NTLM handshake has come, and the last has not. */
  challenged = false;
  /** Requests received. */
  requests = 0;
  #read = 0;

  constructor(origin: SessionOrigin) {
    super();
    this.origin = origin;
    this.onData = () => this.#answerAll();
  }

  #answerAll(): void {
    for (;;) {
      const end = this.received.indexOf("\r\n\r\n", this.#read);
      if (end < 0) return;
      const head = this.received.slice(this.#read, end);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (this.received.length < end + 4 + length) return;
      this.#read = end + 4 + length;
      this.requests++;
      const answer = this.origin.answer(this, head);
      if (answer !== "") this.say(answer);
    }
  }
}

/** Requests that are told apart by their path: see `answer`. */
export class SessionOrigin {
  readonly name: string;
  readonly port: number;
  readonly runtime: MemoryRuntime;
  readonly peers: SessionPeer[] = [];
  listener: MemoryListener | null = null;
  /** Handshakes that were continued on a connection on which they had not begun. */
  torn = 0;

  constructor(runtime: MemoryRuntime, name: string, port: number) {
    this.runtime = runtime;
    this.name = name;
    this.port = port;
  }

  async up(): Promise<void> {
    this.listener = await this.runtime.listen({
      address: { kind: "tcp", host: "127.0.0.1", port: this.port },
      backlog: 100,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1000,
    }, {
      accepted: (socket: Socket) => {
        const peer = new SessionPeer(this);
        peer.socket = socket;
        this.peers.push(peer);
        return peer;
      },
      acceptFailed() {},
    });
  }

  get last(): SessionPeer {
    const last = this.peers.at(-1);
    assert.ok(last !== undefined, `nobody has connected to ${this.name}`);
    return last;
  }

  /**
   * `…/login…` needs a user and challenges whoever is none. `/silent` is not answered. `/close` is the last request of
   * its connection. Everything else is answered with the name of the user that the connection belongs to.
   */
  answer(peer: SessionPeer, head: string): string {
    const path = /^\S+ (\S+)/.exec(head)?.[1] ?? "";
    const [, scheme = "", token = ""] = /\r\nauthorization: *(\S+) *(\S*)/i.exec(head) ?? [];
    if (/^nego|^kerberos$/i.test(scheme) && token !== "") peer.user = token;
    if (/^ntlm$/i.test(scheme)) {
      if (token === "hello" || token.startsWith("TlRMTVNTUAAB")) {
        peer.challenged = true;
        peer.user = "";
        return response(401, "", 'WWW-Authenticate: NTLM riddle\r\nWWW-Authenticate: Basic realm="a"\r\n');
      }
      if (!peer.challenged) {
        this.torn++;
        return response(400, "no handshake has begun here");
      }
      peer.challenged = false;
      peer.user = token;
    }
    if (path === "/silent") return "";
    if (path === "/riddle") return response(401, "", "WWW-Authenticate: Negotiate riddle\r\n");
    if (path.includes("/login") && peer.user === "") {
      return response(401, "", 'WWW-Authenticate: Negotiate, NTLM, Basic realm="a, b"\r\n');
    }
    const who = peer.user === "" ? "nobody" : peer.user;
    return response(200, `${who} at ${this.name}`, path === "/close" ? "Connection: close\r\n" : "");
  }
}

function response(status: number, body: string, fields = ""): string {
  return `HTTP/1.1 ${status} Status\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;
}

/** A client, or what is left of one. */
export class SessionClient extends Peer {
  readonly #lab: SessionLab;
  #seen = 0;

  constructor(lab: SessionLab) {
    super();
    this.#lab = lab;
  }

  /** Sends a request without a body. @param authorization value of the field, "" for none */
  send(path: string, authorization = "", fields = ""): this {
    const line = authorization === "" ? "" : `Authorization: ${authorization}\r\n`;
    this.say(`GET ${path} HTTP/1.1\r\nHost: a\r\n${line}${fields}\r\n`);
    return this;
  }

  /** What has come since the last call. */
  take(): string {
    const text = this.received.slice(this.#seen);
    this.#seen = this.received.length;
    return text;
  }

  /** Sends it, lets everything happen, and takes the answer. */
  ask(path: string, authorization = "", fields = ""): string {
    this.send(path, authorization, fields);
    this.#lab.runtime.network.run();
    return this.take();
  }

  /** The body of the answer to it. */
  body(path: string, authorization = "", fields = ""): string {
    return this.ask(path, authorization, fields).split("\r\n\r\n")[1] ?? "";
  }

  /** Logs in by NTLM. @returns what the origin says to the user */
  login(user: string, path = "/login"): string {
    const riddle = this.ask(path, "NTLM hello");
    assert.match(riddle, /^HTTP\/1\.1 401 [^]*\r\nWWW-Authenticate: NTLM riddle\r\n/);
    return this.body(path, `NTLM ${user}`);
  }

  get isClosed(): boolean {
    return this.end !== "";
  }
}

export class SessionLab {
  readonly runtime: MemoryRuntime;
  readonly origins: readonly SessionOrigin[];
  proxy!: TestProxy; // set by `open`

  private constructor(options: MemoryNetworkOptions) {
    this.runtime = createMemoryRuntime({ clock: new FakeClock(), ...options });
    this.origins = ["a", "b"].map((name, at) => new SessionOrigin(this.runtime, name, 3001 + at));
  }

  /** Origin a listens on port 3001, b on 3002. */
  static async open(yaml: string, options: MemoryNetworkOptions = {}): Promise<SessionLab> {
    const lab = new SessionLab(options);
    lab.proxy = await TestProxy.start(yaml, { runtime: lab.runtime });
    for (const origin of lab.origins) await origin.up();
    return lab;
  }

  get a(): SessionOrigin {
    return this.origins[0] as SessionOrigin;
  }

  get b(): SessionOrigin {
    return this.origins[1] as SessionOrigin;
  }

  /** A client that is connected. */
  client(): SessionClient {
    const client = new SessionClient(this);
    this.runtime.dial(
      { address: { kind: "tcp", host: "127.0.0.1", port: this.proxy.port }, timeoutMs: 1000, tls: null },
      {
        opened: (socket: Socket) => {
          client.socket = socket;
          return client;
        },
        failed: ({ detail }) => assert.fail(detail),
      },
    );
    this.runtime.network.run();
    return client;
  }

  advance(ms: number): void {
    this.runtime.network.advance(ms);
  }

  /** Takes an endpoint out of use, as the verb does. */
  drain(index: number, windowMs: number): void {
    const upstream = this.proxy.upstream();
    const endpoint = upstream.endpoints[index];
    assert.ok(endpoint !== undefined);
    upstream.withdraw(endpoint);
    this.proxy.gateway.drainEndpoints([endpoint], windowMs);
  }

  /** Pinned connections of an upstream: all, and those at rest. */
  pinned(name = "default"): readonly [all: number, idle: number] {
    const { endpoints } = this.proxy.upstream(name);
    return [
      endpoints.reduce((sum, { pinned }) => sum + pinned, 0),
      endpoints.reduce((sum, { pinnedIdle }) => sum + pinnedIdle, 0),
    ];
  }
}
