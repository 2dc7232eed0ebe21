/** Value types of the forward proxy: listeners, destinations, ports. */

import { cutPort, readHost, readPort } from "../../forward/destination_host.ts";
import { parseDestinationRule } from "../../forward/destination_rule.ts";
import { listenAddress, printListen } from "./address.ts";
import type { ListenConfig } from "./config.ts";
import { shown } from "./shown.ts";
import {
  fault,
  list,
  listItems,
  mustBe,
  type Parsed,
  success,
  unique,
  type ValueType,
} from "./value_type.ts";

/** The listener whose address depends on what Sluice does: see `forward.listen`. */
export const AUTO_LISTENER = "auto";

export type ForwardListener = ListenConfig | typeof AUTO_LISTENER;

/** Listeners for clients that ask for any destination: a port alone means this machine only. */
export function forwardListeners(): ValueType<readonly ForwardListener[]> {
  const accepts =
    "one or more addresses like 3128, 127.0.0.1:3128, https://10.0.0.1:3129 or unix:/path, or auto";
  const item = forwardListener();
  return {
    name: "addresses",
    accepts,
    many: true,
    parse(raw) {
      const items = listItems(raw);
      if (items === null || items.length === 0) return mustBe(accepts, raw);
      return unique(items, Array.isArray(raw), item.parse, (value) => {
        if (value === AUTO_LISTENER) return value;
        const { address } = value;
        if (address.kind === "unix") return `unix:${address.path}`;
        return address.port === 0 ? null : `${address.host}:${address.port}`;
      });
    },
    print: (values) => values.map((value) => String(item.print(value))),
  };
}

function forwardListener(): ValueType<ForwardListener> {
  const inner = listenAddress("127.0.0.1", "3128");
  return {
    ...inner,
    parse(raw): Parsed<ForwardListener> {
      if (raw === AUTO_LISTENER) return success(AUTO_LISTENER);
      const parsed = inner.parse(raw);
      return parsed.ok ? success({ ...parsed.value, forward: true }) : parsed;
    },
    print: (value) => value === AUTO_LISTENER ? value : printListen({ ...value, forward: false }),
  };
}

/** A host and a port, in the form in which URLs have them. */
export function hostAndPort(): ValueType<string> {
  const accepts = "a host and a port, like proxy.example:3128";
  return {
    name: "host:port",
    accepts,
    many: false,
    parse(raw) {
      if (typeof raw !== "string") return mustBe(accepts, raw);
      const cut = cutPort(raw);
      const host = readHost(cut.host);
      const port = readPort(cut.port ?? "");
      if (typeof host === "string" || port === null) return mustBe(accepts, raw);
      return success(`${host.key.includes(":") ? `[${host.key}]` : host.key}:${port}`);
    },
    print: (value) => value,
  };
}

/** Entries of `forward.allow` and `forward.deny`, as they were written. */
export function destinations(): ValueType<readonly string[]> {
  const accepts =
    "hosts, .suffixes, IP addresses, CIDR blocks or classes of addresses, each with or without :port";
  const item: ValueType<string> = {
    name: "destination",
    accepts,
    many: false,
    parse(raw) {
      if (typeof raw !== "string" || raw === "") return mustBe(accepts, raw);
      const result = parseDestinationRule(raw);
      return result.kind === "ok" ? success(result.rule.text) : fault(`${result.message}, got ${shown(raw)}`);
    },
    print: (value) => value,
  };
  return list(item, "destinations", accepts);
}

/** Ports from one to another, both included. */
export type PortRange = readonly [first: number, last: number];

const ALL_PORTS: PortRange = [1, 65_535];

/** Ports and ranges of ports, or `all`. At least one. */
export function portRanges(): ValueType<readonly PortRange[]> {
  const accepts = "ports and ranges like 443 or 8000-8999, or all";
  const item: ValueType<PortRange> = {
    name: "ports",
    accepts,
    many: false,
    parse(raw) {
      if (raw === "all") return success(ALL_PORTS);
      const match = typeof raw === "string" ? /^([1-9]\d{0,4})(?:-([1-9]\d{0,4}))?$/.exec(raw) : null;
      if (match === null) return mustBe(accepts, raw);
      const first = Number(match[1]);
      const last = Number(match[2] ?? match[1]);
      if (first > 65_535 || last > 65_535) return fault(`must have ports of 1 to 65535, got ${shown(raw)}`);
      if (first > last) return fault(`must begin with the lower port, got ${shown(raw)}`, `${last}-${first}`);
      return success([first, last]);
    },
    print([first, last]) {
      if (first === ALL_PORTS[0] && last === ALL_PORTS[1]) return "all";
      return first === last ? String(first) : `${first}-${last}`;
    },
  };
  const ranges = list(item, "ports", accepts);
  return {
    ...ranges,
    parse(raw) {
      const parsed = ranges.parse(raw);
      return parsed.ok && parsed.value.length === 0 ? mustBe(accepts, raw) : parsed;
    },
  };
}
