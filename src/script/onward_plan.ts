/** How a request goes on, as all scripts that have had it say: where the last says nothing, what an earlier one has said holds. */

import type { LogFields } from "../exchange/ended_exchange.ts";
import type { ExchangeSettings } from "../exchange/exchange_settings.ts";
import type { ForwardPlan } from "./forward_plan.ts";

export class OnwardPlan {
  readonly #last: ForwardPlan | null;
  readonly #earlier: OnwardPlan | null;

  /** @param last null = it has said nothing. @param earlier null = there was no other script */
  constructor(last: ForwardPlan | null, earlier: OnwardPlan | null) {
    this.#last = last;
    this.#earlier = earlier;
  }

  /** The host that is sent, and that routes look at; null = the client's. */
  get host(): string | null {
    return this.#last?.host ?? this.#earlier?.host ?? null;
  }

  /** What it is balanced by; null = by nothing. */
  get key(): number | null {
    return this.#last?.key ?? this.#earlier?.key ?? null;
  }

  /** Name of the endpoint that it goes to as long as that can be reached; null = any. Never without a key. */
  get endpoint(): string | null {
    const last = this.#last;
    return last !== null && last.key !== null ? last.endpoint : this.#earlier?.endpoint ?? null;
  }

  /** False: it is never sent twice. */
  get retries(): boolean {
    return this.#last?.retries !== false && this.#earlier?.retries !== false;
  }

  get logFields(): LogFields | null {
    const own = this.#last?.log ?? null;
    const earlier = this.#earlier?.logFields ?? null;
    return own === null || earlier === null ? own ?? earlier : { ...earlier, ...own };
  }

  /** The same settings, with the host that is sent. */
  settingsOf(settings: ExchangeSettings): ExchangeSettings {
    const earlier = this.#earlier?.settingsOf(settings) ?? settings;
    return this.#last?.settingsOf(earlier) ?? earlier;
  }
}
