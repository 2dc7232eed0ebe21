/** The Date field's text, made once a second. */

import type { Clock } from "../../runtime/contract/contract.ts";

/** Formats the present wall-clock time as an IMF-fixdate (RFC 9110 §5.6.7), cached per second. */
export class HttpDate {
  readonly #clock: Clock;
  #second = -1;
  #text = "";

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Like "Sun, 06 Nov 1994 08:49:37 GMT". */
  text(): string {
    const second = Math.floor(this.#clock.wall() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1000).toUTCString();
    }
    return this.#text;
  }
}
