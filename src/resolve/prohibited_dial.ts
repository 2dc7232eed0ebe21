/** A dial to an address that it must not go to: nothing is sent. */

import type { Clock, Dial, DialEvents, Timer } from "../../runtime/contract/contract.ts";

export class ProhibitedDial implements Dial {
  readonly #timer: Timer;

  /** @param why in words */
  constructor(clock: Clock, why: string, events: DialEvents) {
    // Never inside the call, see DialEvents.
    this.#timer = clock.setTimer(0, () => events.failed({ code: "destination_ip_prohibited", detail: why }));
  }

  cancel(): void {
    this.#timer.cancel();
  }
}
