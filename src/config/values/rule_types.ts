/** Value types of the rules that say how the forward proxy reaches a destination. */

import { parseDestinationRule } from "../../forward/destination_rule.ts";
import type { ForwardRuleConfig, HoldDirectConfig, ParentBalance } from "./config.ts";
import { portRanges } from "./forward_types.ts";
import { asMap, type Mapping } from "./mapping.ts";
import { parents } from "./parent_types.ts";
import { duration, printDuration } from "./quantity.ts";
import { quoteIfOdd, shown } from "./shown.ts";
import { cidrs } from "./special_types.ts";
import { suggest } from "./suggest.ts";
import {
  boolean,
  type Fault,
  fault,
  list,
  listItems,
  mustBe,
  oneOf,
  type Parsed,
  success,
  text,
  type ValueType,
} from "./value_type.ts";

/** What a rule is asked about and for. */
const MOST_RULES = 1000;

const ACCEPTS = "rules like {host: .example.com, parents: [http://proxy:3128]}";

/** A name for metrics and logs; no word of ours. */
const NAME = text(
  "name",
  "a name of letters, digits, - and _ that begins with a letter",
  /^[A-Za-z][\w-]{0,63}$/,
);
const HOSTS = list(hostPattern(), "hosts", "host names, .suffixes or *");
const CIDRS = cidrs();
const PORTS = portRanges();
const USERS = list(userName(), "users", "names of users");
const BOOLEAN = boolean();
const PARENTS = parents();
const REASON = text("text", "a reason of 1 to 60 printable characters of ASCII", /^[\x20-\x7e]{1,60}$/);
const HOLD = duration("0", "1h");

const BALANCES: ValueType<ParentBalance> = oneOf(
  "order",
  "round_robin",
  "least_conn",
  "random",
  "source_hash",
  "user_hash",
  "host_hash",
);

/** How a request is given to one of several parents. */
export function parentBalance(): ValueType<ParentBalance> {
  return BALANCES;
}

function hostPattern(): ValueType<string> {
  const accepts = "a host name, a .suffix or *";
  return {
    name: "host",
    accepts,
    many: false,
    parse(raw) {
      if (typeof raw !== "string" || raw === "") return mustBe(accepts, raw);
      const result = parseDestinationRule(raw);
      if (result.kind === "fault") return mustBe(accepts, raw);
      const { pattern, port } = result.rule;
      if (pattern.kind === "block" || pattern.kind === "class") {
        return fault(`must be ${accepts}, got ${shown(raw)}: addresses belong in cidr`);
      }
      return port === null
        ? success(result.rule.text)
        : fault(`must have no port (see port), got ${shown(raw)}`);
    },
    print: (value) => value,
  };
}

function userName(): ValueType<string> {
  return text(
    "user",
    "the name of a user, without colons and control characters",
    // deno-lint-ignore no-control-regex -- control characters are what must not be in it
    /^[^\x00-\x1f\x7f:]{1,255}$/,
  );
}

const KEYS = [
  "name",
  "host",
  "cidr",
  "port",
  "user",
  "client",
  "resolve",
  "parents",
  "balance",
  "deny",
  "direct",
  "hold",
] as const;

type Key = typeof KEYS[number];

/** Rules, in the order in which they are asked: mappings, or the same as JSON in a flag or a variable. */
export function forwardRules(): ValueType<readonly ForwardRuleConfig[]> {
  return {
    name: "rules",
    accepts: ACCEPTS,
    many: true,
    parse(raw) {
      const items = ruleItems(raw);
      if (items === null) return mustBe(ACCEPTS, raw);
      if (items.length > MOST_RULES) return fault(`must be at most ${MOST_RULES} rules`);
      const rules: ForwardRuleConfig[] = [];
      const faults: Fault[] = [];
      const names = new Set<string>();
      for (const [index, item] of items.entries()) {
        const at = Array.isArray(raw) || items.length > 1 ? `[${index}]` : "";
        const parsed = readRule(item, `rule_${index + 1}`);
        if (!parsed.ok) {
          faults.push(...parsed.faults.map((found) => ({ ...found, at: at + found.at })));
        } else if (names.has(parsed.value.name)) {
          faults.push({ at, message: `two rules are named ${parsed.value.name}`, suggestion: null });
        } else {
          names.add(parsed.value.name);
          rules.push(parsed.value);
        }
      }
      return faults.length > 0 ? { ok: false, faults } : success(rules);
    },
    print: (rules) => rules.map(printRule),
  };
}

/** The mappings; null when it is something else. */
function ruleItems(raw: unknown): readonly unknown[] | null {
  if (asMap(raw) !== null) return [raw];
  if (Array.isArray(raw)) {
    const items = raw.map((item) => typeof item === "string" ? ruleItems(item) : [item]);
    return items.some((item) => item === null) ? null : items.flatMap((item) => item ?? []);
  }
  if (typeof raw !== "string") return null;
  const words = raw.trim();
  try {
    const value: unknown = JSON.parse(words.startsWith("[") ? words : `[${words}]`);
    return Array.isArray(value) ? value.map(asText) : null;
  } catch {
    return null;
  }
}

/** As YAML gives values: scalars are text. */
function asText(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return value.map(asText);
  const map = asMap(value);
  return map === null ? value : Object.fromEntries([...map].map(([key, inner]) => [key, asText(inner)]));
}

function readRule(raw: unknown, usualName: string): Parsed<ForwardRuleConfig> {
  const map = asMap(raw);
  if (map === null) return mustBe(ACCEPTS, raw);
  const reader = new RuleReader(map);
  const name = reader.read("name", NAME) ?? usualName;
  const conditions = {
    hosts: reader.readList("host", HOSTS),
    cidrs: reader.readList("cidr", CIDRS),
    ports: reader.read("port", PORTS),
    users: reader.readList("user", USERS),
    clients: reader.readList("client", CIDRS),
    resolve: reader.read("resolve", BOOLEAN) ?? false,
  };
  const parentList = reader.readList("parents", PARENTS);
  const balance = reader.read("balance", BALANCES);
  const deny = reader.read("deny", REASON);
  const direct = reader.read("direct", BOOLEAN) ?? false;
  const holdMs = reader.read("hold", HOLD);
  const actions = [map.has("parents"), map.has("deny"), map.has("direct")].filter((given) => given).length;
  if (actions !== 1) reader.blame("", "must have one of parents, deny and direct: true");
  if (map.has("direct") && !direct) reader.blame(".direct", "must be true, or left out", "true");
  if (map.has("parents") && parentList.length === 0) reader.blame(".parents", "must name a proxy, or direct");
  if (balance !== null && !map.has("parents")) reader.blame(".balance", "goes with parents only");
  if (holdMs !== null && map.has("deny")) reader.blame(".hold", "does not go with deny");
  if (conditions.resolve && conditions.cidrs.length === 0) reader.blame(".resolve", "goes with cidr only");
  if (reader.faults.length > 0) return { ok: false, faults: reader.faults };
  const common = { name, conditions, holdMs };
  if (deny !== null) return success({ ...common, action: { kind: "deny", reason: deny } });
  if (direct) return success({ ...common, action: { kind: "direct" } });
  return success({
    ...common,
    action: { kind: "parents", parents: parentList, balance: balance ?? "order" },
  });
}

class RuleReader {
  readonly faults: Fault[] = [];
  readonly #map: Mapping;

  constructor(map: Mapping) {
    this.#map = map;
    for (const key of map.keys()) {
      if (KEYS.some((known) => known === key)) continue;
      this.faults.push({
        at: `.${quoteIfOdd(key)}`,
        message: `unknown key: a rule has ${KEYS.join(", ")}`,
        suggestion: suggest(key, KEYS),
      });
    }
  }

  blame(at: string, message: string, suggestion: string | null = null): void {
    this.faults.push({ at, message, suggestion });
  }

  /** Null when it is not given, or wrong. */
  read<T>(key: Key, type: ValueType<T>): T | null {
    if (!this.#map.has(key)) return null;
    const parsed = type.parse(this.#map.get(key));
    if (parsed.ok) return parsed.value;
    this.faults.push(...parsed.faults.map((found) => ({ ...found, at: `.${key}${found.at}` })));
    return null;
  }

  /** Where it is given it must not be empty: a rule for nothing in particular would be one for everything. */
  readList<T>(key: Key, type: ValueType<readonly T[]>): readonly T[] {
    const values = this.read(key, type);
    if (values?.length === 0) this.blame(`.${key}`, `must be ${type.accepts}, got nothing`);
    return values ?? [];
  }
}

/** As JSON, which YAML reads as well. Without passwords, like `parents`. */
function printRule({ name, conditions, action, holdMs }: ForwardRuleConfig): string {
  const { hosts, cidrs: blocks, ports, users, clients, resolve } = conditions;
  const unlessEmpty = (key: Key, values: readonly string[]) => values.length === 0 ? {} : { [key]: values };
  return JSON.stringify({
    name,
    ...unlessEmpty("host", hosts),
    ...unlessEmpty("cidr", blocks),
    ...(resolve ? { resolve: "true" } : {}),
    ...unlessEmpty("port", ports === null ? [] : [PORTS.print(ports)].flat()),
    ...unlessEmpty("user", users),
    ...unlessEmpty("client", clients),
    ...(action.kind === "deny" ? { deny: action.reason } : {}),
    ...(action.kind === "direct" ? { direct: "true" } : {}),
    ...(action.kind === "parents" ? { parents: PARENTS.print(action.parents), balance: action.balance } : {}),
    ...(holdMs === null ? {} : { hold: printDuration(holdMs) }),
  });
}

/** Direct destinations that requests are held for, `PATTERN=DURATION`; the first that fits counts. */
export function holdDirect(): ValueType<readonly HoldDirectConfig[]> {
  const accepts = "destinations with a time, like localhost=30s or 10.0.0.0/8=5s";
  const item: ValueType<HoldDirectConfig> = {
    name: "hold",
    accepts,
    many: false,
    parse(raw) {
      const match = typeof raw === "string" ? /^([^=]+)=([^=]+)$/.exec(raw.trim()) : null;
      if (match === null) return mustBe(accepts, raw);
      const [, destination = "", time = ""] = match;
      const result = parseDestinationRule(destination);
      if (result.kind === "fault") return fault(`${result.message}, got ${shown(raw)}`);
      const held = HOLD.parse(time.trim());
      return held.ok ? success({ destination: result.rule.text, holdMs: held.value }) : held;
    },
    print: ({ destination, holdMs }) => `${destination}=${printDuration(holdMs)}`,
  };
  const all = list(item, "destinations with times", accepts);
  return {
    ...all,
    // In YAML also as a mapping.
    parse(raw) {
      const map = asMap(raw);
      if (map?.size === 0) return mustBe(accepts, raw);
      if (map === null) return listItems(raw) === null ? mustBe(accepts, raw) : all.parse(raw);
      return all.parse([...map].map(([key, value]) => `${key}=${typeof value === "string" ? value : ""}`));
    },
  };
}
