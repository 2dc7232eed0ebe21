/** A client's connection over a socket and a clock that a test moves by hand; whoever handles its requests writes down what it is told. */

import { DownstreamConnection } from "../../src/conn/downstream_connection.ts";
import type { DownstreamSettings } from "../../src/conn/downstream_settings.ts";
import { IoTurn } from "../../src/conn/io_turn.ts";
import type { BodyLength } from "../../src/http/body_length.ts";
import type { ByteStream, ByteStreamEvents } from "../../src/http/byte_stream.ts";
import type { DownstreamStream, DownstreamStreamEvents } from "../../src/http/downstream_stream.ts";
import { NO_FORWARDED_FIELDS } from "../../src/http/forwarded_fields.ts";
import { DEFAULT_LIMITS } from "../../src/http/limits.ts";
import { FakeClock } from "./fake_clock.ts";
import { StubSocket } from "./stub_socket.ts";

export const CLIENT_SETTINGS: DownstreamSettings = {
  headTimeoutMs: 1000,
  bodyIdleTimeoutMs: 2000,
  keepAliveTimeoutMs: 4000,
  servesHalfClosed: true,
  limits: DEFAULT_LIMITS,
};

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

export class ClientMachine implements DownstreamStreamEvents, ByteStreamEvents {
  readonly clock = new FakeClock();
  readonly socket = new StubSocket();
  readonly #turn: IoTurn;
  readonly connection: DownstreamConnection;
  /** What the handler was told, in order. Pieces of a body, or of a tunnel's bytes, that follow each other are one. */
  readonly told: string[] = [];
  leastRate = 0;
  /** Called at the end of each request without a fault, and of each refusal; may answer. */
  onRequest: ((target: string) => void) | null = null;
  #target = "";
  #bytes: ByteStream | null = null;

  constructor(settings: Partial<DownstreamSettings> = {}) {
    const { clock } = this;
    this.#turn = new IoTurn({ clock, capabilities: { ownChunks: false }, releaseMemory() {}, discard() {} });
    this.connection = new DownstreamConnection(
      this.#turn,
      this.socket,
      { ...CLIENT_SETTINGS, ...settings },
      {
        request: (client, head) => {
          this.told.push(`request ${head.method} ${head.target}`);
          this.#target = head.target;
          client.askedUpgrade(head, ["x"]);
          client.events = this;
          if (client.requestDone) this.onRequest?.(head.target);
          else client.expectBody();
        },
        refused: (client, fault) => {
          this.told.push(`refused ${fault.code}`);
          client.events = this;
          this.onRequest?.("refused");
        },
        connectionClosed: () => void this.told.push("closed"),
      },
    );
  }

  // What the client and the platform do

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

  // What the handler does, in a turn of its own

  call(work: (stream: DownstreamStream) => void): void {
    this.#turn.begin();
    work(this.connection);
    this.#turn.end();
  }

  sendHead(body: BodyLength, close = false, status = 200): void {
    this.call((stream) => stream.sendHead(status, "-", NO_FORWARDED_FIELDS, body, close));
  }

  sendBody(text: string): void {
    this.call((stream) => stream.sendBody(latin1(text), 0, text.length));
  }

  sendEnd(): void {
    this.call((stream) => stream.sendEnd(null));
  }

  sendInterim(): void {
    this.call((stream) => stream.sendInterim(103, "-", NO_FORWARDED_FIELDS));
  }

  /** A whole answer. */
  answer(text: string, close = false, status = 200): void {
    this.sendHead(text.length, close, status);
    this.sendBody(text);
    this.sendEnd();
  }

  switchProtocols(): void {
    this.call((stream) => this.#bytes = stream.switchProtocols("-", NO_FORWARDED_FIELDS, "x"));
  }

  startTunnel(): void {
    this.call(() => this.#bytes?.start(this));
  }

  // What it is told

  #tell(what: string): void {
    this.told.push(what);
  }

  #tellBytes(kind: string, bytes: Uint8Array, from: number, to: number): void {
    const text = String.fromCharCode(...bytes.subarray(from, to));
    const last = this.told.at(-1);
    if (last?.startsWith(kind + " ") === true) this.told[this.told.length - 1] = last + text;
    else this.told.push(`${kind} ${text}`);
  }

  downstreamBody(bytes: Uint8Array, from: number, to: number): void {
    this.#tellBytes("body", bytes, from, to);
  }

  downstreamEnd(): void {
    this.#tell("end");
    this.onRequest?.(this.#target);
  }

  downstreamFault({ code }: { code: string }): void {
    this.#tell(`fault ${code}`);
    this.onRequest?.("refused");
  }

  downstreamWritable(): void {
    this.#tell("writable");
  }

  downstreamEnded(): void {
    this.#tell("ended");
  }

  downstreamGone({ code }: { code: string }): void {
    this.#tell(`gone ${code}`);
  }

  downstreamTimedOut(what: string, slow: boolean): void {
    this.#tell(`timed out ${what}${slow ? " slow" : ""}`);
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
