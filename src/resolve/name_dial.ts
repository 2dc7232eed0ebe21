/**
 * A dial by name: the look-up, then the addresses in a race (RFC 8305 §5). The next one is tried when the one before has
 * failed, or has not answered for 250 ms; the first that is connected wins, and the others are given up.
 */

import type {
  Dial,
  DialEvents,
  DialOptions,
  Runtime,
  SocketError,
  SocketErrorCode,
  Timer,
} from "../../runtime/contract/contract.ts";
import type { AddressMemory } from "./address_order.ts";
import type { CancellableLookUp } from "./name_sources.ts";
import type { Resolver } from "./resolver.ts";

/** RFC 8305 §8: the recommended pause between attempts, and the shortest one. */
const ATTEMPT_DELAY_MS = 250;
const LEAST_DELAY_MS = 10;
/** Addresses that one dial tries; with the pause more would not fit into its time. */
const MOST_ATTEMPTS = 16;
/** Another address of the same name does not mend these. */
const FINAL: ReadonlySet<SocketErrorCode> = new Set([
  "tls_certificate_error",
  "tls_protocol_error",
]);

interface Attempt {
  readonly address: string;
  readonly dial: Dial;
}

export interface NameDialParts {
  readonly runtime: Runtime;
  readonly resolver: Resolver;
  readonly memory: AddressMemory;
}

export class NameDial implements Dial {
  readonly #parts: NameDialParts;
  readonly #options: DialOptions;
  readonly #host: string;
  readonly #port: number;
  /** Null once the outcome was told or the dial was cancelled. */
  #events: DialEvents | null;
  readonly #deadline: Timer;
  readonly #end: number;
  #lookUp: CancellableLookUp | null = null;
  #waiting: string[] = [];
  #attempts: Attempt[] = [];
  #next: Timer | null = null;
  #delayMs = ATTEMPT_DELAY_MS;
  #error: SocketError | null = null;
  /** The winner shakes hands. */
  #connected = false;

  constructor(parts: NameDialParts, options: DialOptions, host: string, port: number, events: DialEvents) {
    const { runtime, resolver } = parts;
    this.#parts = parts;
    this.#options = options;
    this.#host = host;
    this.#port = port;
    this.#events = events;
    this.#end = runtime.clock.now() + options.timeoutMs;
    this.#deadline = runtime.clock.setTimer(options.timeoutMs, () => this.#expire());
    const known = resolver.known(host);
    if (known !== null) this.#race(known);
    else {
      this.#lookUp = resolver.lookUp(host, {
        resolved: (addresses) => {
          this.#lookUp = null;
          this.#race(addresses);
        },
        failed: (error) => this.#fail(error),
      });
    }
  }

  cancel(): void {
    this.#settle();
  }

  #race(addresses: readonly string[]): void {
    const { runtime, memory } = this.#parts;
    const now = runtime.clock.now();
    const allowed = this.#allowed(addresses);
    if (allowed === null) return;
    this.#waiting = memory.inOrder(allowed, this.#port, now).slice(0, MOST_ATTEMPTS);
    // All get their turn, however little time there is.
    const share = (this.#end - now) / (this.#waiting.length + 1);
    this.#delayMs = Math.max(LEAST_DELAY_MS, Math.min(ATTEMPT_DELAY_MS, share));
    this.#tryNext();
  }

  /** Those that the dial may go to; null when it has failed because there are none. */
  #allowed(addresses: readonly string[]): readonly string[] | null {
    const { prohibits } = this.#options;
    if (prohibits === undefined) return addresses;
    const reasons = addresses.map((address) => prohibits(address));
    const allowed = addresses.filter((_, at) => reasons[at] === null);
    if (allowed.length > 0 || addresses.length === 0) return allowed;
    const detail = `${this.#host}: ${reasons.find((why) => why !== null) ?? "no address is allowed"}`;
    // Later, see DialEvents: addresses that are known come inside the constructor.
    this.#next = this.#parts.runtime.clock.setTimer(
      0,
      () => this.#fail({ code: "destination_ip_prohibited", detail }),
    );
    return null;
  }

  #tryNext(): void {
    const { runtime } = this.#parts;
    this.#next?.cancel();
    this.#next = null;
    const address = this.#waiting.shift();
    if (address === undefined || this.#events === null) return;
    if (this.#waiting.length > 0) {
      this.#next = runtime.clock.setTimer(this.#delayMs, () => this.#tryNext());
    }
    const now = runtime.clock.now();
    const dial = runtime.dial({
      ...this.#options,
      address: { kind: "tcp", host: address, port: this.#port },
      timeoutMs: Math.max(1, this.#end - now),
    }, {
      connected: () => this.#wins(attempt),
      opened: (socket) => {
        this.#wins(attempt);
        // The cast: an attempt that was given up is not heard of any more.
        return (this.#settle(attempt) as DialEvents).opened(socket);
      },
      failed: (error) => this.#attemptFailed(attempt, error),
    });
    const attempt: Attempt = { address, dial };
    this.#attempts.push(attempt);
  }

  /** The others are given up; what was begun before it was slow. */
  #wins(winner: Attempt): void {
    if (this.#connected) return;
    this.#connected = true;
    this.#next?.cancel();
    this.#next = null;
    const { memory, runtime } = this.#parts;
    const now = runtime.clock.now();
    const at = this.#attempts.indexOf(winner);
    for (const [index, { address, dial }] of this.#attempts.entries()) {
      if (index === at) continue;
      dial.cancel();
      if (index < at) memory.failed(address, this.#port, now);
    }
    memory.answered(winner.address, this.#port);
    this.#attempts = [winner];
  }

  #attemptFailed(attempt: Attempt, error: SocketError): void {
    const { memory, runtime } = this.#parts;
    this.#attempts = this.#attempts.filter((other) => other !== attempt);
    if (FINAL.has(error.code)) {
      this.#fail(error);
      return;
    }
    memory.failed(attempt.address, this.#port, runtime.clock.now());
    // That one family has no route says little beside what the other one came to.
    if (this.#error === null || error.code !== "destination_ip_unroutable") this.#error = error;
    // A server that is connected and closes during the handshake is one that fails: the others get their turn.
    this.#connected = false;
    if (this.#waiting.length > 0) this.#tryNext();
    else if (this.#attempts.length === 0) this.#failAll(this.#error);
  }

  #expire(): void {
    const { timeoutMs } = this.#options;
    if (this.#lookUp !== null) {
      this.#fail({ code: "dns_timeout", detail: `${this.#host}: not resolved within ${timeoutMs} ms` });
      return;
    }
    const { memory, runtime } = this.#parts;
    for (const { address } of this.#attempts) memory.failed(address, this.#port, runtime.clock.now());
    this.#failAll({ code: "connection_timeout", detail: `not connected within ${timeoutMs} ms` });
  }

  /** No address accepts connections; the name may have others by now. */
  #failAll(error: SocketError): void {
    this.#parts.resolver.doubt(this.#host);
    this.#fail(error);
  }

  #fail(error: SocketError): void {
    this.#settle()?.failed(error);
  }

  /** Ends the dial. Answers who is to be told, null when that was settled before. */
  #settle(winner?: Attempt): DialEvents | null {
    const events = this.#events;
    this.#events = null;
    this.#deadline.cancel();
    this.#next?.cancel();
    this.#lookUp?.cancel();
    this.#waiting = [];
    for (const attempt of this.#attempts) if (attempt !== winner) attempt.dial.cancel();
    this.#attempts = [];
    return events;
  }
}
