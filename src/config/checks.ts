/** Rules between several values; each value on its own is valid by then. */

import { isLoopback } from "../bytes/ip_address.ts";
import { printListen } from "./values/address.ts";
import type { ListenConfig, UpstreamConfig } from "./values/config.ts";
import { sameListener } from "./listeners.ts";
import { isUsual, type Layer, type Resolved } from "./options/layer.ts";
import { flagName } from "./options/option.ts";
import {
  type OptionPath,
  type OptionValues,
  UPSTREAM_OPTION_PATHS,
  type UpstreamOptionValues,
} from "./options/options.ts";
import { formatOrigin, type Origin, type Problem, problemAt } from "./values/problem.ts";
import type { UpstreamDraft } from "./file/upstreams.ts";

/** Where the problems and warnings go. */
export interface Findings {
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/** Rules of the top level. @param listeners all there are, those of the forward proxy included */
export function checkTop(top: Resolved, listeners: readonly ListenConfig[], findings: Findings): void {
  const { values } = top;
  const at = (path: OptionPath, message: string) => problemAt(top.originOf(path), path, message);
  const { problems, warnings } = findings;
  const cert = values["tls.cert"] !== null;
  const key = values["tls.key"] !== null;
  const https = listeners.some((listener) => listener.tls);
  if (cert && !key) problems.push(at("tls.cert", "needs tls.key as well (--tls-key)"));
  if (key && !cert) problems.push(at("tls.key", "needs tls.cert as well (--tls-cert)"));
  if (https && !cert && !key) {
    const path = values.listen.some((listener) => listener.tls) ? "listen" : "forward.listen";
    problems.push(at(path, "an https:// listener needs tls.cert and tls.key (--tls-cert, --tls-key)"));
  }
  if (cert && key && !https) {
    problems.push(at("tls.cert", "is not used: write a listener with https://, like https://:8443"));
  }
  if (values.max_target > values.max_head) {
    const path = top.originOf("max_target").source === "default" ? "max_head" : "max_target";
    problems.push(at(path, "max_target must not be larger than max_head, which counts the whole head"));
  }
  if (!isUsual("access_log.to", values["access_log.to"]) && values["access_log.format"] === "off") {
    warnings.push(at("access_log.to", "has no effect while access_log.format is off"));
  }
  if (values.watch && values.config === null) warnings.push(at("watch", "has no effect without config"));
  checkWorkers(values, listeners, at, findings);
  checkAdmin(values, listeners, at, findings);
  checkUnix(values, listeners, at, findings);
  checkClientCertificate(values, "", (path) => top.originOf(path), problems);
  checkRetry(values, "", (path) => top.originOf(path), warnings);
}

/** Rules for several processes; with `auto` the number is known when they start, and they apply then. */
function checkWorkers(
  values: OptionValues,
  listeners: readonly ListenConfig[],
  at: (path: OptionPath, message: string) => Problem,
  { problems, warnings }: Findings,
): void {
  const { workers, max_connections: connections } = values;
  if (workers === null || workers === 1) return;
  if (listeners.some(({ address }) => address.kind === "unix")) {
    problems.push(
      at("workers", "more than one cannot share a Unix socket: use TCP listeners, or workers: 1"),
    );
  }
  if (connections < workers) {
    problems.push(
      at("max_connections", `is divided among ${workers} workers, so must be at least ${workers}`),
    );
  }
  const tunnels = values["forward.max_tunnels"];
  if (tunnels !== null && tunnels < workers) {
    const message = `is divided among ${workers} workers, so must be at least ${workers}`;
    problems.push(at("forward.max_tunnels", message));
  }
  const size = values["queue.size"];
  if (size > 0 && size < workers) {
    warnings.push(at("queue.size", `is divided among ${workers} workers: some get no queue`));
  }
}

function checkAdmin(
  values: OptionValues,
  listeners: readonly ListenConfig[],
  at: (path: OptionPath, message: string) => Problem,
  { problems, warnings }: Findings,
): void {
  const { admin, admin_actions: actions, admin_token_file: tokenFile } = values;
  if (admin === null) {
    if (actions) warnings.push(at("admin_actions", "has no effect without admin"));
    else if (tokenFile !== null) warnings.push(at("admin_token_file", "has no effect without admin"));
    return;
  }
  const same = listeners.find(({ address }) => sameListener(address, admin));
  if (same !== undefined) {
    problems.push(at("admin", `is a listener for clients as well (${printListen(same)}): use another port`));
  }
  if (actions && tokenFile === null) {
    problems.push(at("admin_actions", "needs admin_token_file as well (--admin-token-file)"));
  } else if (!actions && tokenFile !== null) {
    warnings.push(at("admin_token_file", "has no effect while admin_actions is false"));
  }
  if (admin.kind === "tcp" && !isLoopback(admin.host)) {
    warnings.push(
      at(
        "admin",
        "can be reached from other machines, and asks nobody who they are: use 127.0.0.1, or a firewall",
      ),
    );
  }
}

function checkUnix(
  values: OptionValues,
  listeners: readonly ListenConfig[],
  at: (path: OptionPath, message: string) => Problem,
  { warnings }: Findings,
): void {
  const unix = values.admin?.kind === "unix" || listeners.some(({ address }) => address.kind === "unix");
  for (const path of ["unix.mode", "unix.owner", "unix.group"] as const) {
    if (values[path] !== null && !unix) {
      warnings.push(at(path, "has no effect: neither listen nor admin is a Unix socket"));
    }
  }
  if (values.control !== "off") return;
  for (const path of ["control_mode", "control_group"] as const) {
    if (!isUsual(path, values[path])) warnings.push(at(path, "has no effect while control is off"));
  }
}

/** Rules of one upstream, for what it says itself. */
export function checkUpstream(
  draft: UpstreamDraft,
  upstream: UpstreamConfig,
  values: UpstreamOptionValues,
  top: Resolved,
  findings: Findings,
): void {
  const { problems, warnings } = findings;
  const prefix = `upstreams.${draft.name}.`;
  const origin = (path: OptionPath) => draft.options.get(path)?.origin ?? top.originOf(path);
  if (sets(draft.options, "upstream_tls.")) checkClientCertificate(values, prefix, origin, problems);
  if (sets(draft.options, "retry.")) checkRetry(values, prefix, origin, warnings);
  const https = upstream.endpoints.some((endpoint) => endpoint.scheme === "https");
  if (sets(draft.options, "upstream_tls.") && !https) {
    const message = "has no effect: no endpoint of this upstream begins with https://";
    warnings.push(problemAt(draft.origin, `${prefix}upstream_tls`, message));
  }
  for (const path of UPSTREAM_OPTION_PATHS) {
    const given = draft.options.get(path);
    const over = top.originOf(path);
    if (given === undefined || (over.source !== "flag" && over.source !== "env")) continue;
    const message = `has no effect on upstream ${draft.name}, which has its own value (${
      formatOrigin(given.origin)
    })`;
    warnings.push(problemAt(over, path, message));
  }
}

function checkClientCertificate(
  values: UpstreamOptionValues,
  prefix: string,
  origin: (path: OptionPath) => Origin,
  problems: Problem[],
): void {
  const cert = values["upstream_tls.cert"] !== null;
  const key = values["upstream_tls.key"] !== null;
  if (cert === key) return;
  const present = cert ? "upstream_tls.cert" : "upstream_tls.key";
  const absent = cert ? "upstream_tls.key" : "upstream_tls.cert";
  const message = `needs ${absent} as well (${flagName(absent)})`;
  problems.push(problemAt(origin(present), prefix + present, message));
}

function checkRetry(
  values: UpstreamOptionValues,
  prefix: string,
  origin: (path: OptionPath) => Origin,
  warnings: Problem[],
): void {
  if (values["retry.mode"] !== "off") return;
  for (const path of ["retry.on", "retry.methods", "retry.tries", "retry.unanswered_tries"] as const) {
    if (isUsual(path, values[path])) continue;
    warnings.push(problemAt(origin(path), prefix + path, "has no effect while retry.mode is off"));
  }
}

function sets(layer: Layer, prefix: string): boolean {
  return [...layer.keys()].some((path) => path.startsWith(prefix));
}
