/** A connection to an endpoint without a wire; see memory_downstream.ts. */

import type { CloseReason } from "../../../runtime/contract/contract.ts";
import { type BodyLength, NO_BODY } from "../../../src/http/body_length.ts";
import type { ByteStream } from "../../../src/http/byte_stream.ts";
import { FAULTS } from "../../../src/http/fault.ts";
import type { ForwardedFields } from "../../../src/http/forwarded_fields.ts";
import type { ForwardedRequest } from "../../../src/http/forwarded_request.ts";
import type {
  PinHolder,
  UpstreamPeer,
  UpstreamPeerOwner,
  UpstreamStream,
  UpstreamStreamEvents,
  UpstreamTimeouts,
} from "../../../src/http/upstream_stream.ts";
import { statusPhrase } from "../../../src/http/status_phrase.ts";
import { LOW_WATER_BYTES } from "../../../src/http/water_marks.ts";
import { Timed } from "../../../src/time/deadline_queue.ts";
import { MemoryBytes } from "./memory_bytes.ts";
import type { Call } from "./memory_downstream.ts";
import type { MemoryWire } from "./memory_wire.ts";
import { bytesOf, type Pair, responseHead, sentPairs, textOf, trailerSection } from "./pairs.ts";
import { StreamRules } from "./stream_rules.ts";
import type { EndpointEnd, RawEnd, ReceivedRequest } from "./wire.ts";

export class MemoryUpstreamPeer extends Timed implements UpstreamPeer {
  readonly wire: MemoryWire;
  readonly number: number;
  owner: UpstreamPeerOwner;
  readonly remoteAddress: string;
  readonly openedAt: number;
  idleSince: number;
  uses = 0;
  keepAliveHintMs = 0;
  pinnedTo: PinHolder | null = null;
  connectMs = 0;
  endpointAnswers = 0;
  /** Has rested since it was opened. */
  rested = false;
  closed = false;
  #stream: MemoryUpstream | null = null;

  constructor(wire: MemoryWire, number: number, owner: UpstreamPeerOwner, remoteAddress: string) {
    super();
    this.wire = wire;
    this.number = number;
    this.owner = owner;
    this.remoteAddress = remoteAddress;
    this.openedAt = wire.turn.now;
    this.idleSince = this.openedAt;
  }

  get freeStreams(): number {
    return this.closed || this.#stream !== null ? 0 : 1;
  }

  openStream(): UpstreamStream {
    if (this.freeStreams === 0) this.wire.violations.push(`connection ${this.number}: no stream is free`);
    const stream = new MemoryUpstream(this, this.wire.violations);
    this.#stream = stream;
    return stream;
  }

  rest(now: number, deadline: number): void {
    if (this.closed || this.#stream?.mayServeAgain === false) {
      this.wire.violations.push(`connection ${this.number}: rests although it may not serve again`);
    }
    this.#stream?.over();
    this.#stream = null;
    this.rested = true;
    this.idleSince = now;
    this.restUntil(deadline);
  }

  restUntil(deadline: number): void {
    this.wire.turn.deadlines.set(this, deadline);
  }

  override expired(): void {
    this.wire.turn.take(() => {
      this.retire();
      this.owner.idleLost(this, -1);
    });
  }

  retire(): void {
    this.drop();
  }

  drop(): void {
    this.closed = true;
    this.#stream?.over();
    this.#stream = null;
    this.wire.turn.deadlines.remove(this);
  }

  /** An idle connection ends by itself. */
  lose(): void {
    this.drop();
    this.owner.idleLost(this, this.wire.turn.now - this.idleSince);
  }
}

export class MemoryUpstream implements UpstreamStream, EndpointEnd {
  readonly peer: MemoryUpstreamPeer;
  readonly #rules: StreamRules;
  readonly reused: boolean;
  /** A test may say that not a byte has left. */
  requestSeen = false;
  requestDone = false;
  anyResponse = false;
  responseBegun = false;
  /** A test may say that the endpoint ends the connection after the response. */
  responsePersists = true;
  keepAlivePromised = false;
  sentAt = 0;
  backlogBytes = 0;
  /** Where events go; null when the proxy has let go of the stream. */
  events: UpstreamStreamEvents | null = null;
  timeouts: UpstreamTimeouts | null = null;
  readonly calls: Call[] = [];
  readonly request: ReceivedRequest = {
    method: "",
    target: "",
    authority: null,
    fields: [],
    length: NO_BODY,
    upgrade: "",
    body: "",
    trailers: null,
    end: "",
  };
  readonly #bytes: MemoryBytes;
  #responseDone = false;
  #reading = true;
  #paused = false;
  #asked = "";
  #switched = false;

  constructor(peer: MemoryUpstreamPeer, violations: string[]) {
    this.peer = peer;
    this.reused = peer.rested;
    this.#rules = new StreamRules(`stream of connection ${peer.number}`, violations);
    this.#bytes = new MemoryBytes(peer.wire, () => {});
  }

  get connection(): number {
    return this.peer.number;
  }

  get raw(): RawEnd {
    return this.#bytes.far;
  }

  get mayServeAgain(): boolean {
    return this.#responseDone && this.responsePersists && this.requestDone && this.backlogBytes === 0 &&
      !this.#switched;
  }

  // The proxy's end

  sendRequest(request: ForwardedRequest, events: UpstreamStreamEvents, timeouts: UpstreamTimeouts): void {
    this.#rules.call("sendRequest", this.calls.length === 0);
    const { head, target, authority, fields, body, upgrade } = request;
    const pairs = sentPairs(fields);
    this.calls.push(["request", head.method, target, authority, pairs, body, upgrade]);
    Object.assign(this.request, {
      method: head.method,
      target,
      authority,
      fields: pairs,
      length: body,
      upgrade,
    });
    this.peer.uses++;
    this.events = events;
    this.timeouts = timeouts;
    this.requestSeen = true;
    this.#asked = upgrade;
    this.sentAt = this.peer.wire.turn.now;
    if (body === NO_BODY || body === 0) this.#requestEnded(null);
    this.peer.wire.requests.push(this);
  }

  #requestEnded(trailers: readonly Pair[] | null): void {
    this.requestDone = true;
    this.request.trailers = trailers;
    this.request.end = "complete";
  }

  expectContinue(): void {
    this.#rules.call("expectContinue", !this.requestDone);
    this.calls.push(["expectContinue"]);
  }

  sendBody(bytes: Uint8Array, from: number, to: number): void {
    const text = textOf(bytes, from, to);
    this.#rules.call("sendBody", this.calls.length > 0 && !this.requestDone);
    this.calls.push(["body", text]);
    this.request.body += text;
    this.sentAt = this.peer.wire.turn.now;
    if (!this.#reading) this.backlogBytes += to - from;
  }

  sendEnd(trailers: ForwardedFields | null): void {
    const pairs = trailers === null ? null : sentPairs(trailers);
    const { length, body } = this.request;
    this.#rules.call("sendEnd", !this.requestDone && (length < 0 || body.length === length));
    this.calls.push(["end", pairs]);
    this.#requestEnded(pairs);
  }

  pauseBody(): void {
    this.#rules.call("pauseBody", true);
    if (!this.#paused) this.calls.push(["pause"]);
    this.#paused = true;
  }

  resumeBody(): void {
    this.#rules.call("resumeBody", true);
    if (this.#paused) this.calls.push(["resume"]);
    this.#paused = false;
  }

  switchProtocols(): ByteStream {
    this.#rules.end("switchProtocols", this.responseBegun);
    this.calls.push(["switch"]);
    this.events = null;
    this.#switched = true;
    return this.#bytes;
  }

  discard(complete: boolean): void {
    // At the end of a tunnel nothing is left to be discarded.
    if (!this.#switched) this.#rules.end("discard", true);
    this.calls.push(["discard", complete]);
    if (this.request.end === "") this.request.end = "cut";
    if (this.#switched) this.#bytes.closed({ code: "aborted", detail: "discarded" });
    this.peer.drop();
  }

  /** Its connection is used otherwise, or is gone. */
  over(): void {
    this.events = null;
  }

  // The endpoint's end

  get held(): boolean {
    return this.#paused;
  }

  #event(event: () => void): void {
    this.peer.wire.take(() => {
      this.anyResponse = true;
      event();
    });
  }

  interim(status: number, fields: readonly Pair[] = []): void {
    this.#event(() => this.events?.upstreamInterim(responseHead(status, statusPhrase(status), fields)));
  }

  head(status: number, fields: readonly Pair[], length: BodyLength): void {
    this.#event(() => {
      this.responseBegun = true;
      this.events?.upstreamHead(responseHead(status, statusPhrase(status), fields), length);
    });
  }

  body(text: string): void {
    const bytes = bytesOf(`..${text}`);
    this.#event(() => this.events?.upstreamBody(bytes, 2, bytes.length, 2));
  }

  end(trailers?: readonly Pair[]): void {
    this.#event(() => {
      this.#responseDone = true;
      this.events?.upstreamEnd(trailers === undefined ? null : trailerSection(trailers));
    });
  }

  switchTo(protocol: string): void {
    this.#event(() => {
      this.responseBegun = true;
      const fields: Pair[] = protocol === "" ? [] : [["Upgrade", protocol]];
      const asAsked = protocol !== "" && protocol.toLowerCase() === this.#asked;
      this.events?.upstreamSwitched(responseHead(101, "Switching Protocols", fields), asAsked);
    });
  }

  garble(): void {
    this.#event(() => {
      const { events } = this;
      this.events = null;
      events?.upstreamFault(FAULTS.statusLine);
    });
  }

  reset(): void {
    this.gone({ code: "reset", detail: "ECONNRESET" });
  }

  /** The stream is gone. */
  gone(reason: CloseReason): void {
    this.peer.wire.take(() => {
      if (this.#switched) this.#bytes.closed(reason);
      const { events } = this;
      this.events = null;
      events?.upstreamGone(reason);
    });
  }

  /** It took too long. */
  timeOut(what: "head" | "read" | "write"): void {
    this.peer.wire.take(() => this.events?.upstreamTimedOut(what));
  }

  stopReading(): void {
    this.#reading = false;
  }

  readOn(): void {
    this.#reading = true;
    const before = this.backlogBytes;
    this.backlogBytes = 0;
    if (before > LOW_WATER_BYTES) this.peer.wire.take(() => this.events?.upstreamWritable());
  }
}
