/** A route: which requests it takes, and where it leads. */

import type { ExchangeSettings } from "../exchange/exchange_settings.ts";
import type { RetryPolicy } from "../exchange/retry.ts";
import type { FieldSection } from "../http/field_section.ts";
import type { Script } from "../script/script.ts";
import type { Counted } from "../upstream/counters.ts";
import type { RouteMatch } from "./router.ts";

/** A fixed answer. */
export interface RespondTarget {
  readonly kind: "respond";
  readonly status: number;
  readonly phrase: string;
  /** Without Date and framing. */
  readonly fields: FieldSection;
  /** The body's bytes as Latin-1. */
  readonly body: string;
}

/** Where a route leads. */
export type RouteTarget =
  | { readonly kind: "upstream"; readonly settings: ExchangeSettings; readonly retry: RetryPolicy }
  | RespondTarget
  /** To the handler that a script exports. */
  | { readonly kind: "handle"; readonly script: Script };

export interface Route extends RouteMatch, Counted {
  readonly name: string;
  readonly target: RouteTarget;
  /** Asked before the request goes there; null = none is. */
  readonly script: Script | null;
}
