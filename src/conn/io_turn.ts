/**
 * One turn of the event loop as connections see it: beside the time (time/turn.ts) the writes that are joined until it
 * ends, the memory of what was received, and the codec. One object serves all of a proxy.
 */

import type { Clock, Runtime } from "../../runtime/contract/contract.ts";
import { DeadlineQueue } from "../time/deadline_queue.ts";
import { Http1Codec } from "../http1/http1_codec.ts";
import type { Turn } from "../time/turn.ts";
import { MemoryRelief } from "./memory_relief.ts";
import { ObjectPool } from "./object_pool.ts";
import { OutputBuffer } from "./output_buffer.ts";
import { RequestUnderWay } from "./request_under_way.ts";

const NOTHING = new Uint8Array(0);
/** Arrays from this size on are given back at once. Collecting them costs more, and until then they pile up. */
const DISCARD_BYTES = 4096;

/** What a turn needs of the platform. */
export interface TurnRuntime {
  readonly clock: Clock;
  readonly capabilities: Pick<Runtime["capabilities"], "ownChunks">;
  releaseMemory(this: void): void;
  discard(this: void, bytes: Uint8Array): void;
}

/** Something that goes on when the handlers of a request have returned. */
export interface Postponed {
  goOn(): void;
}

export class IoTurn implements Turn {
  readonly clock: Clock;
  readonly deadlines: DeadlineQueue;
  readonly output = new OutputBuffer();
  /** Of all connections that see this turn. */
  readonly codec = new Http1Codec();
  readonly requestsUnderWay = new ObjectPool(() => new RequestUnderWay());
  readonly #relief: MemoryRelief;
  readonly #ownChunks: boolean;
  /** The bytes that this turn is about, if they may be kept instead of copied. */
  #chunk: Uint8Array = NOTHING;
  readonly #discard: (bytes: Uint8Array) => void;
  readonly #postponed: Postponed[] = [];
  now: number;

  constructor({ clock, capabilities, releaseMemory, discard }: TurnRuntime) {
    this.clock = clock;
    this.deadlines = new DeadlineQueue(clock);
    this.#ownChunks = capabilities.ownChunks;
    this.#relief = new MemoryRelief(clock, releaseMemory);
    this.#discard = discard;
    this.now = clock.now();
  }

  begin(): void {
    this.now = this.clock.now();
  }

  /** The same, for bytes that were received. */
  beginWith(bytes: Uint8Array): void {
    this.now = this.clock.now();
    if (this.#ownChunks) this.#chunk = bytes;
    this.#relief.received(bytes.length);
  }

  /** Whether `bytes` are what was received in this turn, in an array that will not be used again. */
  mayKeep(bytes: Uint8Array): boolean {
    return bytes === this.#chunk;
  }

  /** What `mayKeep` said yes to is kept. */
  kept(): void {
    this.#chunk = NOTHING;
  }

  /** The array is not used any more, nor any other part of its buffer. */
  discard(bytes: Uint8Array): void {
    if (bytes.length >= DISCARD_BYTES) this.#discard(bytes);
  }

  /** Calls `task.goOn` at the end of the turn. */
  postpone(task: Postponed): void {
    this.#postponed.push(task);
  }

  #goOn(): void {
    for (let task = this.#postponed.shift(); task !== undefined; task = this.#postponed.shift()) task.goOn();
  }

  end(): void {
    if (this.#postponed.length > 0) this.#goOn();
    this.output.flush();
  }

  /** The same for a turn that began with bytes. They are not read any more, unless they are kept. */
  endWithBytes(): void {
    if (this.#postponed.length > 0) this.#goOn();
    this.output.flush();
    const chunk = this.#chunk;
    this.#chunk = NOTHING;
    this.discard(chunk);
  }
}
