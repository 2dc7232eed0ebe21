/** A connection to an endpoint over a socket and a clock that a test moves by hand; its user writes down what it is told. */

import type { BodyLength } from "../../src/http/body_length.ts";
import { NO_BODY } from "../../src/http/body_length.ts";
import type { ByteStreamEvents } from "../../src/http/byte_stream.ts";
import { NO_FORWARDED_FIELDS } from "../../src/http/forwarded_fields.ts";
import type { Head } from "../../src/http/head.ts";
import { DEFAULT_LIMITS } from "../../src/http/limits.ts";
import type { UpstreamStream, UpstreamStreamEvents } from "../../src/http/upstream_stream.ts";
import { MessageParser } from "../../src/http1/message_parser.ts";
import { IoTurn } from "../../src/conn/io_turn.ts";
import { UpstreamConnection } from "../../src/conn/upstream_connection.ts";
import { FakeClock } from "./fake_clock.ts";
import { StubSocket } from "./stub_socket.ts";

export const FIRST_BYTE_MS = 1000;
export const BODY_IDLE_MS = 2000;

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** What a client asked. */
function asked(method: string): Head {
  const parser = new MessageParser("request", DEFAULT_LIMITS);
  parser.feed(latin1(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`));
  parser.next();
  return parser.head as Head;
}

export class EndpointMachine implements UpstreamStreamEvents, ByteStreamEvents {
  readonly clock = new FakeClock();
  readonly socket = new StubSocket();
  readonly #turn: IoTurn;
  readonly connection: UpstreamConnection;
  /** What its user was told, in order. Pieces of a body, or of a tunnel's bytes, that follow each other are one. */
  readonly told: string[] = [];
  /** Called after an event of that name. */
  onTold: ((what: string) => void) | null = null;

  constructor() {
    const { clock } = this;
    this.#turn = new IoTurn({ clock, capabilities: { ownChunks: false }, releaseMemory() {}, discard() {} });
    this.connection = new UpstreamConnection(this.#turn, this.socket, DEFAULT_LIMITS, {
      idleLost: (_peer, idleMs) => void this.told.push(`idle lost ${idleMs}`),
    });
  }

  // What the endpoint and the platform do

  say(text: string): void {
    this.connection.data(latin1(text));
  }

  /** The socket takes so many bytes of what waits. */
  take(bytes: number): void {
    this.socket.room = bytes;
    this.connection.drained();
  }

  closed(): void {
    this.connection.closed({ code: "reset", detail: "" });
  }

  // What its user does, in a turn of its own

  call(work: (stream: UpstreamStream) => void): void {
    this.#turn.begin();
    work(this.connection);
    this.#turn.end();
  }

  sendRequest(body: BodyLength = NO_BODY, upgrade = "", method = "GET"): void {
    const head = asked(method);
    const fields = NO_FORWARDED_FIELDS;
    const request = { head, target: "/", authority: "b", fields, body, upgrade, acceptsTrailers: false };
    const timeouts = { firstByteTimeoutMs: FIRST_BYTE_MS, bodyIdleTimeoutMs: BODY_IDLE_MS };
    this.call((stream) => stream.sendRequest(request, this, timeouts));
  }

  sendBody(text: string): void {
    this.call((stream) => stream.sendBody(latin1(text), 0, text.length));
  }

  sendEnd(): void {
    this.call((stream) => stream.sendEnd(null));
  }

  /** It goes back to the pool for ten seconds. */
  rest(): void {
    this.call(() => this.connection.rest(this.clock.now(), this.clock.now() + 10_000));
  }

  startTunnel(): void {
    this.call((stream) => stream.switchProtocols().start(this));
  }

  // What it is told

  #tell(what: string): void {
    this.told.push(what);
    this.onTold?.(what);
  }

  #tellBytes(kind: string, bytes: Uint8Array, from: number, to: number): void {
    const text = String.fromCharCode(...bytes.subarray(from, to));
    const last = this.told.at(-1);
    if (last?.startsWith(kind + " ") === true) this.told[this.told.length - 1] = last + text;
    else this.told.push(`${kind} ${text}`);
  }

  upstreamInterim({ status }: Head): void {
    this.#tell(`interim ${status}`);
  }

  upstreamSwitched(_head: Head, asAsked: boolean): void {
    this.#tell(asAsked ? "switched" : "switched unasked");
  }

  upstreamHead({ status }: Head, body: BodyLength): void {
    this.#tell(`head ${status} ${body}`);
  }

  upstreamBody(bytes: Uint8Array, from: number, to: number): void {
    this.#tellBytes("body", bytes, from, to);
  }

  upstreamEnd(): void {
    this.#tell("end");
  }

  upstreamFault({ code }: { code: string }): void {
    this.#tell(`fault ${code}`);
  }

  upstreamGone({ code }: { code: string }): void {
    this.#tell(`gone ${code}`);
  }

  upstreamWritable(): void {
    this.#tell("writable");
  }

  upstreamTimedOut(what: string): void {
    this.#tell(`timed out ${what}`);
  }

  bytesArrived(bytes: Uint8Array): void {
    this.#tellBytes("bytes", bytes, 0, bytes.length);
  }

  bytesEnded(): void {
    this.#tell("bytes ended");
  }

  bytesBroken(): void {
    this.#tell("bytes broken");
  }

  bytesClosed({ code }: { code: string }): void {
    this.#tell(`bytes closed ${code}`);
  }

  bytesProgress(backlogBytes: number): void {
    this.#tell(`bytes progress ${backlogBytes}`);
  }

  bytesTimedOut(): void {
    this.#tell("bytes timed out");
  }
}
