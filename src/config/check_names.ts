/** Rules about endpoints that are names. */

import { canonicalIp } from "../bytes/ip_address.ts";
import type { Findings } from "./checks.ts";
import type { EndpointConfig, UpstreamConfig } from "./values/config.ts";
import type { Resolved } from "./options/layer.ts";
import { problemAt } from "./values/problem.ts";
import type { UpstreamDraft } from "./file/upstreams.ts";

/** Whether an endpoint is dialled by name. */
export function isNamed({ address }: EndpointConfig): boolean {
  return address.kind === "tcp" && canonicalIp(address.host) === null;
}

/** `each_address` where there is no name. */
export function checkNames(
  upstreams: readonly UpstreamConfig[],
  top: Resolved,
  drafts: ReadonlyMap<string, UpstreamDraft>,
  { warnings }: Findings,
): void {
  const without = upstreams.filter(({ endpoints }) => !endpoints.some(isNamed));
  for (const { name } of without) {
    const given = drafts.get(name)?.options.get("each_address");
    if (given?.value !== true) continue;
    const message = "has no effect: no endpoint of this upstream is a name";
    warnings.push(problemAt(given.origin, `upstreams.${name}.each_address`, message));
  }
  if (top.values.each_address && upstreams.length > 0 && without.length === upstreams.length) {
    const message = "has no effect: no endpoint is a name";
    warnings.push(problemAt(top.originOf("each_address"), "each_address", message));
  }
}
