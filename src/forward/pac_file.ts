/**
 * A proxy auto-configuration file: JavaScript by which browsers decide whether they ask us or a destination itself. It says
 * DIRECT only where our rules would go directly whoever asks and whatever addresses a name has; what it cannot know, and
 * what is denied, comes to us: our answer says why. It looks nothing up.
 */

import { type IpBlock, parseBlock } from "../bytes/ip_address.ts";
import { blocksOfClass } from "./address_class.ts";
import { type DestinationRule, parseDestinationRule } from "./destination_rule.ts";
import type { NoProxyEntry } from "./no_proxy.ts";
import type { RuleConditions } from "./rule_conditions.ts";

export interface PacRule {
  readonly conditions: RuleConditions;
  /** Its requests go to their destination at once: clients can do that themselves. */
  readonly direct: boolean;
}

export interface PacSource {
  readonly rules: readonly PacRule[];
  /** Destinations that are reached directly if no rule is for them. */
  readonly direct: readonly NoProxyEntry[];
  /** As of `forward.allow`. */
  readonly allow: readonly string[];
  /** As of `forward.deny`, and others for which we are asked in any case. */
  readonly ours: readonly string[];
}

const HELPERS = `
function sluiceBytes(text) {
  var parts = /^(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})\\.(\\d{1,3})$/.exec(text);
  var bytes = [];
  var i;
  if (parts) {
    for (i = 1; i < 5; i++) {
      if (Number(parts[i]) > 255) return null;
      bytes.push(Number(parts[i]));
    }
    return bytes;
  }
  if (text.indexOf(":") < 0) return null;
  var last = /^(.*:)(\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3})$/.exec(text);
  if (last) {
    var tail = sluiceBytes(last[2]);
    if (!tail) return null;
    text = last[1] + (tail[0] * 256 + tail[1]).toString(16) + ":" + (tail[2] * 256 + tail[3]).toString(16);
  }
  var halves = text.split("::");
  var head = halves[0] === "" ? [] : halves[0].split(":");
  var rest = halves.length < 2 || halves[1] === "" ? [] : halves[1].split(":");
  if (halves.length > 2 || (halves.length < 2 && head.length !== 8) || head.length + rest.length > 8) return null;
  while (head.length + rest.length < 8) head.push("0");
  head = head.concat(rest);
  for (i = 0; i < 8; i++) {
    if (!/^[0-9a-f]{1,4}$/i.test(head[i])) return null;
    bytes.push(parseInt(head[i], 16) >> 8, parseInt(head[i], 16) & 255);
  }
  if (/^0,0,0,0,0,0,0,0,0,0,255,255,/.test(bytes.join(",") + ",")) return bytes.slice(12);
  return bytes;
}

function sluiceIn(bytes, block, bits) {
  if (!bytes || bytes.length !== block.length) return false;
  for (var i = 0; i * 8 < bits; i++) {
    var mask = bits - i * 8 >= 8 ? 255 : (255 << (8 - (bits - i * 8))) & 255;
    if ((bytes[i] & mask) !== (block[i] & mask)) return false;
  }
  return true;
}

function sluiceBelow(name, suffix) {
  return name.length > suffix.length && name.slice(-suffix.length) === suffix;
}
`;

/** IPv6 addresses of which it is sure where they lead: others are denied, or may stand for an IPv4 one (see `judgedBytes`). */
const PLAIN_IPV6 = ["2000::/3", "fc00::/7", "fe80::/10", "fec0::/10", "::1"];

const LOCAL = ["127.0.0.0/8", "::1"];

/** The decisions, for any proxy: see `pacFile`. Linear in the rules. */
export function pacDecisions({ rules, direct, allow, ours }: PacSource): string {
  const lines: string[] = [];
  const ask = (condition: string) => lines.push(`  if (${condition}) return via;`);
  // What is denied from the start: see `DestinationPolicy`.
  const odd = anyBlock([...blocksOfClass("metadata"), ...blocksOfClass("special"), "2002::/16"]);
  ask(`address && ((address.length === 16 && !(${anyBlock(PLAIN_IPV6)})) || ${odd})`);
  for (const entry of ours) ask(destination(entry, true));
  if (allow.length > 0) ask(`!(${allow.map((entry) => destination(entry, false)).join(" || ")})`);
  for (const { conditions, direct: goes } of rules) {
    const fits = ruleCondition(conditions);
    const known = conditions.users.length === 0 && conditions.clients.length === 0;
    if (goes && known) lines.push(`  if (${fits}) return "DIRECT";`);
    else ask(fits);
    // A name may have such an address.
    if (conditions.resolve) ask(`!address && ${portCondition(conditions.ports)}`);
  }
  for (const entry of direct) lines.push(`  if (${directCondition(entry)}) return "DIRECT";`);
  // Of the client's own machine, whoever that is.
  lines.push(
    `  if (name === "localhost" || sluiceBelow(name, ".localhost") || ${anyBlock(LOCAL)}) return "DIRECT";`,
  );
  return lines.join("\n");
}

/**
 * @param decisions as `pacDecisions` gives them
 * @param proxy where we are: `PROXY host:port` or `HTTPS host:port`
 */
export function pacFile(decisions: string, proxy: string): string {
  return `// Made by Sluice from its rules (forward.rules).
function FindProxyForURL(url, host) {
  var via = ${JSON.stringify(proxy)};
  var name = host.toLowerCase().replace(/^\\[|\\]$/g, "").replace(/\\.$/, "");
  var parts = /^[a-z][a-z0-9+.-]*:\\/\\/(?:[^\\/?#@]*@)?(?:\\[[^\\]]*\\]|[^:\\/?#]*)(?::(\\d+))?/i.exec(url);
  var port = parts && parts[1] ? Number(parts[1]) : /^(?:https|wss):/i.test(url) ? 443 : 80;
  var address = sluiceBytes(name);
${decisions}
  return via;
}
${HELPERS}`;
}

function ruleCondition({ hosts, cidrs, ports }: RuleConditions): string {
  const places = [
    ...hosts.map((text) => destination(text, false)),
    ...cidrs.map((text) => inBlock(blockOf(text))),
  ];
  const place = places.length === 0 ? "true" : `(${places.join(" || ")})`;
  return `${place} && ${portCondition(ports)}`;
}

function portCondition(ports: RuleConditions["ports"]): string {
  if (ports === null) return "true";
  return `(${ports.map(([first, last]) => `(port >= ${first} && port <= ${last})`).join(" || ")})`;
}

/** @param uncertain what holds for a literal address of which the class would have to be known */
function destination(text: string, uncertain: boolean): string {
  const result = parseDestinationRule(text);
  if (result.kind === "fault") throw new Error(`${text}: ${result.message}`);
  const place = placeCondition(result.rule, uncertain);
  return result.rule.port === null ? place : `(${place} && port === ${result.rule.port})`;
}

function placeCondition({ pattern }: DestinationRule, uncertain: boolean): string {
  switch (pattern.kind) {
    case "any":
      return "true";
    case "host":
      return `name === ${JSON.stringify(pattern.name)}`;
    case "suffix":
      return `(!address && sluiceBelow(name, ${JSON.stringify(pattern.name)}))`;
    case "block":
      // A name may have an address in it.
      return uncertain ? `(!address || ${inBlock(pattern.block)})` : inBlock(pattern.block);
    case "class":
      return uncertain ? "true" : "false";
    default:
      return pattern satisfies never;
  }
}

function directCondition({ name, suffix, block, port }: NoProxyEntry): string {
  if (block === null && suffix === "") return "true";
  const place = block !== null
    ? inBlock(block)
    : `!address && (sluiceBelow(name, ${JSON.stringify(suffix)})${
      name === "" ? "" : ` || name === ${JSON.stringify(name)}`
    })`;
  return port === null ? place : `(${place}) && port === ${port}`;
}

function inBlock({ bytes, bits }: IpBlock): string {
  return `sluiceIn(address, [${bytes.join(", ")}], ${bits})`;
}

function anyBlock(texts: readonly string[]): string {
  return texts.map((text) => inBlock(blockOf(text))).join(" || ");
}

/** @throws Error when it is none */
function blockOf(text: string): IpBlock {
  const block = parseBlock(text);
  if (block === null) throw new Error(`${text} is no block of addresses`);
  return block;
}
