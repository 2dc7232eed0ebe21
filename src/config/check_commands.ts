/** Rules about the commands of upstreams, and about endpoints that only a command can have. */

import { AUTO } from "./values/address.ts";
import type { Findings } from "./checks.ts";
import type { UpstreamConfig } from "./values/config.ts";
import { isUsual, type Resolved } from "./options/layer.ts";
import type { OptionPath } from "./options/options.ts";
import { CHILD_OPTIONS } from "./options/backend.ts";
import { problemAt } from "./values/problem.ts";
import type { UpstreamDraft } from "./file/upstreams.ts";

const CHILD_PATHS = (Object.keys(CHILD_OPTIONS) as OptionPath[]).filter((path) => path !== "command");

/**
 * @param upstreams all there are, those of routes with addresses of their own included
 * @param through the command is no backend, but run through the forward proxy
 */
export function checkCommands(
  upstreams: readonly UpstreamConfig[],
  top: Resolved,
  drafts: ReadonlyMap<string, UpstreamDraft>,
  through: boolean,
  { problems, warnings }: Findings,
): void {
  const inherited = upstreams.filter(({ name, child }) =>
    child !== null && drafts.get(name)?.options.has("command") !== true
  );
  if (inherited.length > 1) {
    const names = inherited.map(({ name }) => name).join(", ");
    const message = `is the backend of one upstream, and there are ${inherited.length} (${names}): ` +
      "write it inside the upstream it belongs to";
    problems.push(problemAt(top.originOf("command"), "command", message));
  }
  for (const { name, endpoints, child, holdMs } of upstreams) {
    for (
      const [path, given] of [["start_on_demand", child?.startOnDemand], [
        "stop_when_idle",
        child?.stopWhenIdleMs,
      ]] as const
    ) {
      if (holdMs > 0 || !given) continue;
      const message = "needs hold: the request that starts the command waits for it";
      problems.push(problemAt(originOf(path, name, drafts, top), path, message));
    }
    const draft = drafts.get(name);
    const own = draft !== undefined && draft.endpoints !== top.values.to;
    if (child === null && endpoints.some((endpoint) => endpoint.name === AUTO)) {
      const message =
        "needs a command that listens there: write it after -- (sluice --to auto -- node server.js)";
      const place = own ? `upstreams.${name}.endpoints` : "to";
      problems.push(problemAt(draft?.endpointsOrigin ?? top.originOf("to"), place, message));
    }
    if (child?.command.some((word) => word.includes("{port}")) === true && !endpoints.some(isAuto)) {
      const message = "{port} is only filled in where the endpoint is auto";
      warnings.push(problemAt(originOf("command", name, drafts, top), "command", message));
    }
  }
  if (upstreams.some(({ child }) => child !== null)) return;
  for (const path of [...CHILD_PATHS, "exit_with_child"] as const) {
    if (isUsual(path, top.values[path]) || (through && path === "child.folder")) continue;
    const message = through
      ? "has no effect on a command that is run through the forward proxy"
      : "has no effect: there is no command";
    warnings.push(problemAt(top.originOf(path), path, message));
  }
}

function isAuto({ name }: { readonly name: string }): boolean {
  return name === AUTO;
}

function originOf(
  path: OptionPath,
  upstream: string,
  drafts: ReadonlyMap<string, UpstreamDraft>,
  top: Resolved,
) {
  return drafts.get(upstream)?.options.get(path)?.origin ?? top.originOf(path);
}
