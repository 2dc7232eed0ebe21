/**
 * A client's connection without a wire: requests are objects, what the proxy does to them is noted as plain values, and a
 * test makes every event happen. Streams on one connection are independent of each other.
 */

import type { CloseReason } from "../../../runtime/contract/contract.ts";
import { type BodyLength, NO_BODY, UNKNOWN_LENGTH } from "../../../src/http/body_length.ts";
import type { ByteStream } from "../../../src/http/byte_stream.ts";
import type {
  DownstreamCompanion,
  DownstreamPeer,
  DownstreamStream,
  DownstreamStreamEvents,
  ForwardedFrom,
  RequestHandler,
} from "../../../src/http/downstream_stream.ts";
import { FAULTS } from "../../../src/http/fault.ts";
import { Field } from "../../../src/http/field.ts";
import type { ForwardedFields } from "../../../src/http/forwarded_fields.ts";
import type { Head } from "../../../src/http/head.ts";
import { LOW_WATER_BYTES } from "../../../src/http/water_marks.ts";
import { MemoryBytes } from "./memory_bytes.ts";
import type { MemoryWire } from "./memory_wire.ts";
import { bytesOf, type Pair, requestHead, sentPairs, textOf, trailerSection } from "./pairs.ts";
import { StreamRules } from "./stream_rules.ts";
import { type Answer, type ClientConnection, type ClientEnd, noAnswer, type RawEnd } from "./wire.ts";

/** What was called, and with what. */
export type Call = readonly unknown[];

export class MemoryClient implements DownstreamPeer, ClientConnection {
  readonly wire: MemoryWire;
  readonly handler: RequestHandler;
  readonly streams = new Set<MemoryDownstream>();
  readonly remoteAddress = "192.0.2.1";
  readonly remotePort = 40_000;
  readonly secure = false;
  readonly isPerRequest = false;
  trusted = false;
  forwarded: ForwardedFrom | null = null;
  companion: DownstreamCompanion | null = null;
  state: "open" | "last" | "closed" = "open";
  unasked: Answer | null = null;
  /** The client has ended its sending side. */
  finished = false;
  #streams = 0;

  constructor(wire: MemoryWire, handler: RequestHandler) {
    this.wire = wire;
    this.handler = handler;
  }

  get peer(): DownstreamPeer {
    return this;
  }

  get owedAnswers(): number {
    return [...this.streams].filter(({ switched }) => !switched).length;
  }

  // The client's end

  request(method: string, target: string, fields: readonly Pair[], length: BodyLength): MemoryDownstream {
    const stream = new MemoryDownstream(this, ++this.#streams, length);
    this.streams.add(stream);
    this.wire.take(() => this.handler.request(stream, requestHead(method, target, fields)));
    return stream;
  }

  finish(): void {
    this.finished = true;
    this.wire.take(() => {
      for (const stream of [...this.streams]) stream.clientEnded();
      this.#closeWhenDone();
    });
  }

  reset(): void {
    this.wire.take(() => this.#close({ code: "reset", detail: "the client has reset the connection" }));
  }

  // The proxy's end

  forEachStream(visit: (stream: DownstreamStream) => void): void {
    for (const stream of this.streams) if (stream.events !== null) visit(stream);
  }

  keepForHandshake(): void {}

  endAfterAnswer(): void {
    if (this.state === "open") this.state = "last";
  }

  refuseConnection(): DownstreamStream {
    const stream = new MemoryDownstream(this, ++this.#streams, NO_BODY);
    this.streams.add(stream);
    this.unasked = stream.answer;
    this.state = "last";
    return stream;
  }

  drain(_now: number, gapMs: number): void {
    if (this.state !== "open") return;
    this.state = "last";
    this.wire.clock.setTimer(gapMs, () => this.wire.turn.take(() => this.#closeWhenDone()), true);
  }

  abort(): void {
    this.wire.later(() => this.#close({ code: "aborted", detail: "aborted by us" }));
  }

  /** A stream is over. */
  over(stream: MemoryDownstream): void {
    this.streams.delete(stream);
    if (this.state === "last" || this.finished) this.wire.later(() => this.#closeWhenDone());
  }

  #closeWhenDone(): void {
    if (this.state === "closed" || this.streams.size > 0) return;
    if (this.state === "last" || this.finished) this.#close({ code: "finished", detail: "" });
  }

  #close(reason: CloseReason): void {
    if (this.state === "closed") return;
    this.state = "closed";
    for (const stream of [...this.streams]) stream.gone(reason);
    const { companion } = this;
    this.companion = null;
    companion?.clientDone();
    this.handler.connectionClosed(this);
  }
}

export class MemoryDownstream implements DownstreamStream, ClientEnd {
  readonly #client: MemoryClient;
  readonly #rules: StreamRules;
  events: DownstreamStreamEvents | null = null;
  readonly requestBody: BodyLength;
  requestDone: boolean;
  readonly requestBeganAt: number;
  responseBegun = false;
  responseSized = false;
  backlogBytes = 0;
  offeredBytes = 0;
  /** What the proxy has called, in order. */
  readonly calls: Call[] = [];
  readonly answer: Answer = noAnswer();
  readonly #bytes: MemoryBytes;
  #reading = true;
  #paused = false;
  /** What the client has sent while it was held. */
  readonly #sent: (() => void)[] = [];
  /** To raw bytes. */
  switched = false;

  constructor(client: MemoryClient, id: number, body: BodyLength) {
    this.#client = client;
    this.#rules = new StreamRules(`client's stream ${id}`, client.wire.violations);
    this.requestBody = body;
    this.requestDone = body === NO_BODY || body === 0;
    this.requestBeganAt = client.wire.turn.now;
    this.#bytes = new MemoryBytes(client.wire, () => this.#client.over(this));
  }

  get peer(): DownstreamPeer {
    return this.#client;
  }

  get hasLeft(): boolean {
    return this.#client.finished && !this.#client.wire.options.servesHalfClosed;
  }

  readonly carriesTrailers = true;

  // The client's end

  get raw(): RawEnd {
    return this.#bytes.far;
  }

  get held(): boolean {
    return this.#paused;
  }

  body(text: string): void {
    const bytes = bytesOf(`..${text}`);
    this.#sends(() => this.events?.downstreamBody(bytes, 2, bytes.length, 2));
  }

  end(trailers?: readonly Pair[]): void {
    this.#sends(() => {
      this.requestDone = true;
      this.events?.downstreamEnd(trailers === undefined ? null : trailerSection(trailers));
    });
  }

  #sends(event: () => void): void {
    this.#sent.push(event);
    this.#client.wire.take(() => this.#deliver());
  }

  #deliver(): void {
    while (!this.#paused && !this.#rules.ended) {
      const event = this.#sent.shift();
      if (event === undefined) return;
      event();
    }
  }

  /** Nothing comes from the client any more, on whatever stream. */
  clientEnded(): void {
    if (this.requestDone || this.#paused) this.events?.downstreamEnded();
    else this.events?.downstreamFault(FAULTS.incomplete);
  }

  garble(): void {
    this.#client.wire.take(() => this.events?.downstreamFault(FAULTS.chunkSize));
  }

  reset(): void {
    this.#client.wire.take(() => this.gone({ code: "reset", detail: "the client has reset the stream" }));
  }

  /** The stream is gone, whatever it was doing. */
  gone(reason: CloseReason): void {
    if (this.switched) {
      this.#bytes.closed(reason);
      return;
    }
    if (this.#rules.ended) return;
    this.#rules.end("gone", true);
    this.answer.end = "aborted";
    const { events } = this;
    this.events = null;
    this.#client.over(this);
    events?.downstreamGone(reason);
  }

  timeOut(what: "read" | "write", slow = false): void {
    this.#client.wire.take(() => this.events?.downstreamTimedOut(what, slow));
  }

  stopReading(): void {
    this.#reading = false;
  }

  readOn(): void {
    this.#reading = true;
    const before = this.backlogBytes;
    this.backlogBytes = 0;
    if (before > LOW_WATER_BYTES) this.#client.wire.take(() => this.events?.downstreamWritable());
  }

  // The proxy's end

  askedUpgrade(head: Head, allowed: readonly string[]): string {
    const asked = head.joined(Field.upgrade)?.toLowerCase() ?? "";
    return allowed.includes(asked) ? asked : "";
  }

  expectBody(): void {
    this.#rules.call("expectBody", true);
    this.calls.push(["expectBody"]);
  }

  pauseBody(): void {
    this.#rules.call("pauseBody", true);
    if (this.requestDone) return;
    if (!this.#paused) this.calls.push(["pause"]);
    this.#paused = true;
  }

  resumeBody(): void {
    this.#rules.call("resumeBody", true);
    if (!this.#paused) return;
    this.calls.push(["resume"]);
    this.#paused = false;
    this.#deliver();
  }

  sendInterim(status: number, reason: string, fields: ForwardedFields): void {
    this.#rules.call("sendInterim", !this.responseBegun);
    this.calls.push(["interim", status, reason, sentPairs(fields)]);
    this.answer.interims.push(status);
    this.#offer(1);
  }

  sendHead(status: number, reason: string, fields: ForwardedFields, body: BodyLength, close: boolean): void {
    this.#rules.call("sendHead", !this.responseBegun);
    this.responseBegun = true;
    this.responseSized = body !== UNKNOWN_LENGTH;
    this.calls.push(["head", status, reason, sentPairs(fields), body, close]);
    const { answer } = this;
    answer.status = status;
    answer.fields = sentPairs(fields);
    answer.length = body;
    this.#offer(1);
    if (close) this.#client.endAfterAnswer();
  }

  sendBody(bytes: Uint8Array, from: number, to: number): void {
    const text = textOf(bytes, from, to);
    this.#rules.call("sendBody", this.responseBegun);
    this.calls.push(["body", text]);
    this.answer.body += text;
    this.#offer(to - from);
  }

  #offer(bytes: number): void {
    this.offeredBytes += bytes;
    if (!this.#reading) this.backlogBytes += bytes;
  }

  sendEnd(trailers: ForwardedFields | null): void {
    const pairs = trailers === null ? null : sentPairs(trailers);
    const { length, body } = this.answer;
    const whole = length < 0 || body.length === length;
    this.#rules.end("sendEnd", this.responseBegun && whole);
    this.calls.push(["end", pairs]);
    this.answer.trailers = pairs;
    this.#ended("complete");
  }

  switchProtocols(reason: string, fields: ForwardedFields, protocol: string): ByteStream {
    this.#rules.end("switchProtocols", !this.responseBegun);
    this.calls.push(["switch", reason, sentPairs(fields), protocol]);
    this.answer.status = 101;
    this.answer.fields = sentPairs(fields);
    this.events = null;
    this.switched = true;
    return this.#bytes;
  }

  acceptTunnel(fields: ForwardedFields): ByteStream {
    this.#rules.end("acceptTunnel", !this.responseBegun);
    this.calls.push(["tunnel", sentPairs(fields)]);
    this.answer.status = 200;
    this.answer.fields = sentPairs(fields);
    this.events = null;
    this.switched = true;
    return this.#bytes;
  }

  staysOpenAfter(): boolean {
    return this.#client.state === "open";
  }

  abortResponse(): void {
    this.#rules.end("abortResponse", true);
    this.#ended("cut");
  }

  endUnanswered(): void {
    this.#rules.end("endUnanswered", !this.responseBegun);
    this.#ended("unanswered");
  }

  abort(): void {
    this.#rules.end("abort", true);
    this.#ended("aborted");
  }

  #ended(how: "complete" | "cut" | "unanswered" | "aborted"): void {
    if (how !== "complete") this.calls.push([how]);
    this.answer.end = how;
    this.events = null;
    this.#client.over(this);
  }
}
