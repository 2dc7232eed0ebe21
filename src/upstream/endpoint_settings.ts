/** What is said of an endpoint. */

import type { PoolSettings } from "../client/connection_pool.ts";
import type { ReuseKey } from "../client/reuse_key.ts";
import { type FieldSection, NO_FIELDS } from "../http/field_section.ts";
import { fieldSection } from "../http/own_fields.ts";

export interface EndpointSettings {
  readonly name: string;
  readonly key: ReuseKey;
  /** Value of Host for requests that name no other. */
  readonly hostField: string;
  /** Relative share, >= 1. */
  readonly weight: number;
  /** Requests at a time, 0 = no limit. */
  readonly maxInFlight: number;
  /** How many of them are ours at first, where other processes serve the same endpoint. Default: all. */
  readonly slots?: number;
  readonly pool: PoolSettings;
  /** It is a proxy that passes requests on. Absent = requests are for it. */
  readonly proxy?: ProxySettings;
}

export interface ProxySettings {
  /** Value of Proxy-Authorization; "" = none. */
  readonly authorization: string;
}

/** What requests to it have besides; null where it is none. */
export function proxyFields(proxy: ProxySettings | undefined): FieldSection | null {
  if (proxy === undefined) return null;
  return proxy.authorization === "" ? NO_FIELDS : fieldSection(["Proxy-Authorization", proxy.authorization]);
}
