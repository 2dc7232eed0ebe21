/** What the rules of the forward proxy say of a request, beside what the dry run does with it. */

import { type Runtime, SocketFailure } from "../../../runtime/contract/contract.ts";
import { allParents } from "../../config/build_forward.ts";
import type { Config, UpstreamConfig } from "../../config/values/config.ts";
import { addressClass } from "../../forward/address_class.ts";
import type { Destination } from "../../forward/destination_policy.ts";
import { type AskedDestination, firstMatch } from "../../forward/rule_conditions.ts";
import { readForwardTarget } from "../../forward/forward_target.ts";
import type { ForwardSnapshot } from "../../gateway/forward/forward_snapshot.ts";
import type { ExplainRequest } from "../../control/plane.ts";
import type { ExplainedProxying } from "./explanation.ts";

/** Whether a client of a forward proxy would send it there: CONNECT, or a whole URL. A path is for routes. */
export function isForProxy({ method, url }: Pick<ExplainRequest, "method" | "url">): boolean {
  return method === "CONNECT" || /^[a-z][a-z0-9+.-]*:\/\//i.test(url);
}

/**
 * @param resolver looks the name up, and nothing else; null = it is not to be looked up
 * @returns null when the target names no destination
 */
export async function explainProxying(
  { method, url, user }: ExplainRequest,
  forward: ForwardSnapshot,
  client: string,
  resolver: Pick<Runtime, "resolve"> | null,
): Promise<ExplainedProxying | null> {
  const { policy, auth, clients } = forward;
  const target = readForwardTarget(method, url, forward.originTls !== null);
  if (target.kind === "refusal") return null;
  const { host, port } = target;
  const destination: Destination = { host, port, isTunnel: method === "CONNECT", user: user ?? null };
  const verdict = policy.judgeName(destination);
  const found = resolver === null || target.hostIsLiteral || !verdict.allowed
    ? { addresses: target.hostIsLiteral ? [host] : null, lookup: "" }
    : await lookUp(resolver, host);
  return {
    host,
    port,
    user: user ?? null,
    asks_for: auth === null || clients?.has(client) === true ? [] : auth.schemes,
    rule: verdict.rule,
    allowed: verdict.allowed,
    decided: !verdict.allowed || verdict.decided,
    ...(verdict.allowed
      ? { way: wayOf(forward, { host, port, user: user ?? "", client }, found.addresses) }
      : {}),
    lookup_error: found.lookup,
    addresses: found.addresses?.map((address) => {
      const judged = target.hostIsLiteral ? verdict : policy.judgeAddress(address, destination);
      return { address, class: addressClass(address) ?? "", allowed: judged.allowed, rule: judged.rule };
    }) ?? null,
  };
}

/** What an exchange has gone by. @param name null when there was none. @param proxied by the forward proxy */
export function usedUpstream(
  config: Config,
  name: string | null,
  proxied: boolean,
): UpstreamConfig | undefined {
  const { forward } = config;
  if (!proxied || forward === null) return config.upstreams.find((upstream) => upstream.name === name);
  return allParents(forward).find(({ upstream }) => upstream.name === name)?.upstream ?? forward.direct;
}

function wayOf(
  { rules, byDefault }: ForwardSnapshot,
  asked: AskedDestination,
  addresses: readonly string[] | null,
): ExplainedProxying["way"] & object {
  const found = firstMatch(rules, asked, addresses);
  if (found === "look_up") return { rule: null, action: "look_up", reason: "" };
  const { action } = found ?? byDefault(asked.host, asked.port);
  return {
    rule: found?.name ?? null,
    action: action.kind,
    reason: action.kind === "deny" ? action.reason : "",
  };
}

async function lookUp(
  resolver: Pick<Runtime, "resolve">,
  host: string,
): Promise<{ readonly addresses: readonly string[] | null; readonly lookup: string }> {
  try {
    return { addresses: await resolver.resolve(host), lookup: "" };
  } catch (error) {
    if (!(error instanceof SocketFailure)) throw error;
    return { addresses: null, lookup: error.message };
  }
}
