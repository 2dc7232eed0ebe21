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
  /** It asks the clients themselves: their Proxy-Authorization goes on to it, and its challenges come back. Default: false. */
  readonly passesLogin?: boolean;
  /** It gets the name of the client's user with this password, if that is known; null = it does not. Default: null. */
  readonly userPassword?: string | null;
}

/** What requests to it have besides; null where it is none. */
export function proxyFields(proxy: ProxySettings | undefined): FieldSection | null {
  if (proxy === undefined) return null;
  return proxy.authorization === "" ? NO_FIELDS : fieldSection(["Proxy-Authorization", proxy.authorization]);
}
