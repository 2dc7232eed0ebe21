/** Value types that only one or two options have: endpoints, listeners, CIDR blocks, methods and the like. */

import { endpointAddress, isHost, listenAddress, MAX_UNIX_PATH_BYTES, printListen } from "./address.ts";
import type { EndpointConfig, ListenConfig, RetryCondition, UpstreamConfig } from "./config.ts";
import { canonicalCidr } from "../../bytes/ip_address.ts";
import { asMap } from "./mapping.ts";
import { quoteIfOdd, shown } from "./shown.ts";
import { suggest } from "./suggest.ts";
import {
  count,
  type Fault,
  fault,
  list,
  listItems,
  mustBe,
  oneOf,
  type Parsed,
  success,
  text,
  unique,
  type ValueType,
} from "./value_type.ts";

/** A token of RFC 9110 §5.6.2: methods, field names, upgrade protocols. */
export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;

const WEIGHT = count(1, 1000);
const ENDPOINT = endpointAddress();

/** Endpoints: addresses, or in YAML also `{address, weight}`. At least one, none twice. */
export function endpoints(): ValueType<readonly EndpointConfig[]> {
  const accepts = "one or more addresses like 3000, host:3000, https://host or unix:/path";
  return {
    name: "addresses",
    accepts,
    many: true,
    parse(raw) {
      const items = asMap(raw) === null ? listItems(raw) : [raw];
      if (items === null || items.length === 0) return mustBe(accepts, raw);
      return unique(items, Array.isArray(raw), endpoint, (value) => value.name);
    },
    print: (values) => values.map((value) => value.name),
  };
}

function endpoint(raw: unknown): Parsed<EndpointConfig> {
  const map = asMap(raw);
  if (map === null) {
    const parsed = ENDPOINT.parse(raw);
    return parsed.ok ? success({ ...parsed.value, weight: 1 }) : parsed;
  }
  const faults: Fault[] = [];
  let address: unknown;
  let weight = 1;
  for (const [key, value] of map) {
    if (key === "address") {
      address = value;
    } else if (key === "weight") {
      const parsed = WEIGHT.parse(value);
      if (parsed.ok) weight = parsed.value;
      else faults.push(...parsed.faults.map((found) => ({ ...found, at: ".weight" })));
    } else {
      faults.push({
        at: `.${quoteIfOdd(key)}`,
        message: "unknown key: an endpoint has address and weight",
        suggestion: suggest(key, ["address", "weight"]),
      });
    }
  }
  const parsed = ENDPOINT.parse(address);
  if (!parsed.ok) faults.push(...parsed.faults.map((found) => ({ ...found, at: ".address" })));
  return parsed.ok && faults.length === 0 ? success({ ...parsed.value, weight }) : { ok: false, faults };
}

/** Listening addresses; at least one, none twice (port 0 may repeat). */
export function listeners(): ValueType<readonly ListenConfig[]> {
  const item = listenAddress();
  return {
    name: "addresses",
    accepts: `one or more addresses like ${item.accepts.replace("an address like ", "")}`,
    many: true,
    parse(raw) {
      const items = listItems(raw);
      if (items === null || items.length === 0) return mustBe(this.accepts, raw);
      return unique(items, Array.isArray(raw), item.parse, (value) => {
        const { address } = value;
        if (address.kind === "unix") return `unix:${address.path}`;
        return address.port === 0 ? null : `${address.host}:${address.port}`;
      });
    },
    print: (values) => values.map(printListen),
  };
}

/** CIDR blocks in canonical text. */
export function cidrs(): ValueType<readonly string[]> {
  const accepts = "IP addresses or CIDR blocks like 10.0.0.0/8 or ::1";
  const item: ValueType<string> = {
    name: "cidr",
    accepts,
    many: false,
    parse(raw) {
      if (typeof raw !== "string") return mustBe(accepts, raw);
      const result = canonicalCidr(raw);
      if (result.kind === "ok") return success(result.text);
      return fault(`${result.message}, got ${shown(raw)}`, result.suggestion);
    },
    print: (value) => value,
  };
  return list(item, "CIDR blocks", accepts);
}

/** What is sent as Host. */
export function hostHeader(): ValueType<UpstreamConfig["hostHeader"]> {
  const accepts = "pass, endpoint, or a host name with or without :port";
  return {
    name: "pass | endpoint | NAME",
    accepts,
    many: false,
    parse(raw) {
      if (raw === "pass" || raw === "endpoint") return success({ kind: raw });
      if (typeof raw !== "string") return mustBe(accepts, raw);
      const match = /^(.*?)(?::([1-9]\d{0,4}))?$/s.exec(raw);
      const host = match?.[1]?.toLowerCase() ?? "";
      if (!isHost(host) || Number(match?.[2] ?? 1) > 65_535) return mustBe(accepts, raw);
      return success({ kind: "fixed", value: raw });
    },
    print: (value) => value.kind === "fixed" ? value.value : value.kind,
  };
}

/** Conditions of `retry.on`. */
export function retryConditions(): ValueType<readonly RetryCondition[]> {
  const word = oneOf("reset", "timeout", "502", "503", "504");
  const item: ValueType<RetryCondition> = {
    ...word,
    parse(raw) {
      // Other proxies know it, and it would change nothing.
      if (raw === "connect") {
        return fault("must not be connect: a request that was not sent is held in any case, see hold");
      }
      const parsed = word.parse(raw);
      if (!parsed.ok) return parsed;
      switch (parsed.value) {
        case "502":
          return success(502);
        case "503":
          return success(503);
        case "504":
          return success(504);
        default:
          return success(parsed.value);
      }
    },
    print: String,
  };
  return list(item, "list", `a list of ${word.accepts}`);
}

/** Request methods: case-sensitive tokens, upper case like all registered ones. */
export function methods(): ValueType<readonly string[]> {
  const accepts = "methods like GET or PUT, in upper case";
  const item: ValueType<string> = {
    name: "method",
    accepts,
    many: false,
    parse(raw) {
      if (typeof raw !== "string" || !TOKEN.test(raw)) return mustBe(accepts, raw);
      return raw === raw.toUpperCase() ? success(raw) : mustBe(accepts, raw, raw.toUpperCase());
    },
    print: (value) => value,
  };
  return list(item, "list", accepts);
}

/** Upgrade protocols in lower case, as they are compared. `h2c` is refused: it would tunnel past all rules. */
export function upgradeTokens(): ValueType<readonly string[]> {
  const accepts = "names of protocols like websocket";
  const item: ValueType<string> = {
    name: "protocol",
    accepts,
    many: false,
    parse(raw) {
      if (typeof raw !== "string" || !/^[!#$%&'*+.^_`|~0-9A-Za-z/-]{1,64}$/.test(raw)) {
        return mustBe(accepts, raw);
      }
      const lower = raw.toLowerCase();
      if (lower === "h2c" || lower.startsWith("http/")) {
        return fault(`must not be ${shown(raw)}: another HTTP version would pass unseen`);
      }
      return success(lower);
    },
    print: (value) => value,
  };
  return list(item, "list", accepts);
}

/** A DNS name or IP address, as TLS server name. */
export function serverName(): ValueType<string> {
  const accepts = "a host name";
  return {
    name: "host name",
    accepts,
    many: false,
    parse(raw) {
      const lower = typeof raw === "string" ? raw.toLowerCase() : "";
      return isHost(lower) ? success(lower) : mustBe(accepts, raw);
    },
    print: (value) => value,
  };
}

/** A pseudonym for Via. */
export function pseudonym(): ValueType<string> {
  return text("token", "a word of letters, digits and -._ (at most 64)", TOKEN);
}

/** `stdout`, `stderr`, or the path of a file. */
export function logTarget(): ValueType<string> {
  const accepts = "stdout, stderr, or the path of a file";
  // deno-lint-ignore no-control-regex -- control bytes are what must not be in a path we print
  return text("stdout | stderr | path", accepts, /^[^\x00-\x1f\x7f]{1,4096}$/);
}

/** Words that are meant as `off`, and would be files in the working directory: such a one is `./none`. */
const MEANT_AS_OFF = /^(?:none|no|never|false|null|disabled?|0)$/i;

/** Where the control socket is: `off`, or a path that a Unix socket can have; `unix:` in front is taken off. */
export function controlSocket(): ValueType<string> {
  const accepts = `off, or a path of at most ${MAX_UNIX_PATH_BYTES} bytes`;
  return {
    name: "path | off",
    accepts,
    many: false,
    parse(raw) {
      if (typeof raw !== "string" || MEANT_AS_OFF.test(raw)) return mustBe(accepts, raw);
      const path = raw.replace(/^unix:/, "");
      // deno-lint-ignore no-control-regex -- control bytes are what must not be in a path we print
      if (path === "" || /[\x00-\x1f\x7f]/.test(path)) return mustBe(accepts, raw);
      return new TextEncoder().encode(path).length > MAX_UNIX_PATH_BYTES
        ? mustBe(accepts, raw)
        : success(path);
    },
    print: (value) => value,
  };
}
