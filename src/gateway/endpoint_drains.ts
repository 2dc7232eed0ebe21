/**
 * Endpoints that go out of use: their WebSockets are asked to end, and what is left when the window is over is cut.
 * An endpoint can be in several drains at a time (it was drained, then swapped away). One that is put in use
 * again leaves all of them, since whatever it serves by then would be cut with the rest.
 */

import type { Clock, Timer } from "../../runtime/contract/contract.ts";
import type { Turn } from "../time/turn.ts";
import type { Tunnel } from "../exchange/tunnel.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import { GracefulClose } from "./graceful_close.ts";

/** What goes through endpoints. */
export interface Traffic {
  tunnelsThrough(endpoints: ReadonlySet<Endpoint>): readonly Tunnel[];
  /** Ends tunnels, and requests that cannot go elsewhere; others go there. */
  cut(endpoints: ReadonlySet<Endpoint>): void;
}

/** Endpoints that are drained together. */
interface Drain {
  readonly endpoints: Set<Endpoint>;
  readonly gracefulClose: GracefulClose;
  timer: Timer;
}

export class EndpointDrains {
  readonly #clock: Clock;
  readonly #traffic: Traffic;
  /** Those whose window is not over. */
  readonly #drains = new Set<Drain>();

  constructor(clock: Clock, traffic: Traffic) {
    this.#clock = clock;
    this.#traffic = traffic;
  }

  /** @param endpoints get no new request */
  begin(turn: Turn, endpoints: readonly Endpoint[], windowMs: number): void {
    const set = new Set(endpoints);
    const drain: Drain = {
      endpoints: set,
      gracefulClose: new GracefulClose(this.#clock, turn, this.#traffic.tunnelsThrough(set), windowMs),
      timer: this.#clock.setTimer(windowMs, () => {
        this.#drains.delete(drain);
        turn.begin();
        this.#traffic.cut(set);
        turn.end();
      }, true),
    };
    this.#drains.add(drain);
  }

  /** The endpoint is in use again, or drained anew: nothing that was begun for it goes on. */
  callOff(endpoint: Endpoint): void {
    for (const drain of this.#drains) {
      if (!drain.endpoints.delete(endpoint)) continue;
      drain.gracefulClose.spare(this.#traffic.tunnelsThrough(new Set([endpoint])));
      if (drain.endpoints.size === 0) this.#end(drain);
    }
  }

  cancel(): void {
    for (const drain of this.#drains) this.#end(drain);
  }

  #end(drain: Drain): void {
    drain.gracefulClose.cancel();
    drain.timer.cancel();
    this.#drains.delete(drain);
  }
}
