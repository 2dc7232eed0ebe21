/** Rules about the forward proxy; most of all that an open one is not run unknowingly. */

import { isLoopback } from "../bytes/ip_address.ts";
import { printAddress } from "./values/address.ts";
import type { ListenConfig, ParentConfig } from "./values/config.ts";
import type { Findings } from "./checks.ts";
import { ANY_USER } from "./values/parent_types.ts";
import { isUsual, type Resolved } from "./options/layer.ts";
import { FORWARD_OPTIONS } from "./options/forward.ts";
import type { OptionPath, OptionValues } from "./options/options.ts";
import { problemAt } from "./values/problem.ts";

const PATHS = Object.keys(FORWARD_OPTIONS) as (keyof typeof FORWARD_OPTIONS)[];

/**
 * @param listeners all there are
 * @param through a command is run through the proxy
 */
export function checkForward(
  top: Resolved,
  listeners: readonly ListenConfig[],
  through: boolean,
  findings: Findings,
): void {
  const { problems, warnings } = findings;
  const { values } = top;
  const at = (path: OptionPath, message: string) => problemAt(top.originOf(path), path, message);
  const forward = listeners.filter((listener) => listener.forward);
  if (values["forward.listen"] === null) {
    for (const path of PATHS) {
      if (isUsual(path, values[path])) continue;
      warnings.push(at(path, "has no effect: there is no forward listener (--forward)"));
    }
    return;
  }
  checkParents(top, findings);
  checkRules(top, findings);
  const asks = asksWho(values);
  const limited = asks || values["forward.clients"].length > 0;
  const reachable = forward.find(({ address }) => address.kind === "tcp" && !isLoopback(address.host));
  if (reachable !== undefined && !limited && !values["forward.open"]) {
    problems.push(at("forward.listen", openProxy(reachable)));
  }
  if (values["forward.open"] && limited) {
    const message =
      "has no effect: forward.clients, forward.users, forward.digest_file or forward.tokens say who may use the proxy";
    warnings.push(at("forward.open", message));
  } else if (values["forward.open"] && reachable === undefined) {
    warnings.push(
      at("forward.open", "has no effect: no forward listener can be reached from other machines"),
    );
  }
  if (through) checkThrough(top, forward, asks, { problems, warnings });
}

function checkParents(top: Resolved, { problems, warnings }: Findings): void {
  const { "forward.parents": parents, "forward.no_parent": noParent } = top.values;
  const at = (path: OptionPath, message: string) => problemAt(top.originOf(path), path, message);
  if (noParent !== "" && parents.length === 0) {
    warnings.push(at("forward.no_parent", "has no effect without forward.parents"));
  }
  if (top.values["forward.balance"] !== "order" && parents.length < 2) {
    warnings.push(at("forward.balance", "has no effect without several forward.parents"));
  }
  if (parents.some(hasPassword) && top.originOf("forward.parents").source === "flag") {
    warnings.push(at("forward.parents", `${PASSWORD_SEEN} (SLUICE_FORWARD_PARENTS)`));
  }
  const known = asksWho(top.values);
  const login = wrongLogin(parents, known);
  if (login !== null) problems.push(at("forward.parents", login));
  if (known && parents.some(asksItself)) warnings.push(at("forward.parents", LOGIN_PASSED));
  const direct = parents.findIndex(({ kind }) => kind === "direct");
  if (direct === 0 && parents.length > 1) {
    const message = "begins with direct: the others are asked for destinations that could not be reached";
    warnings.push(at("forward.parents", message));
  }
  if (parents.every(({ kind }) => kind === "direct") && parents.length > 0) {
    problems.push(at("forward.parents", "names no proxy: leave it out, and every destination is direct"));
  }
}

/** With one of them clients say who they are. */
const ASKING = ["forward.users", "forward.digest_file", "forward.tokens"] as const;

function asksWho(values: OptionValues): boolean {
  return ASKING.some((path) => values[path] !== null);
}

function checkRules({ values, originOf }: Resolved, { problems, warnings }: Findings): void {
  const path = "forward.rules";
  const at = (index: number, message: string) =>
    problemAt(originOf(path), values[path].length === 1 ? path : `${path}[${index}]`, message);
  const known = asksWho(values);
  let end = Infinity;
  for (const [index, { name, conditions, action }] of values[path].entries()) {
    const { hosts, cidrs, ports, users, clients } = conditions;
    const unlimited = ports === null && users.length === 0 && clients.length === 0;
    const any = hosts.includes("*") || (hosts.length === 0 && cidrs.length === 0);
    if (index > end) warnings.push(at(index, `${name} is never reached: a rule before it is for everything`));
    if (unlimited && any) end = Math.min(end, index);
    if (users.length > 0 && !known) {
      warnings.push(
        at(
          index,
          `${name} is for nobody: clients do not say who they are without forward.users, forward.digest_file or forward.tokens`,
        ),
      );
    }
    if (action.kind === "parents" && action.parents.every(({ kind }) => kind === "direct")) {
      problems.push(at(index, `${name} names no proxy: write direct: true`));
    }
    const login = action.kind === "parents" ? wrongLogin(action.parents, known) : null;
    if (login !== null) problems.push(at(index, `${name} ${login}`));
    if (known && action.kind === "parents" && action.parents.some(asksItself)) {
      warnings.push(at(index, `${name} ${LOGIN_PASSED}`));
    }
    const secret = action.kind === "parents" && action.parents.some(hasPassword);
    if (secret && originOf(path).source === "flag") {
      warnings.push(at(index, `${name} ${PASSWORD_SEEN} (SLUICE_FORWARD_RULES)`));
    }
  }
}

function hasPassword(parent: ParentConfig): boolean {
  return parent.kind !== "direct" && parent.user !== null && parent.passwordFile === null;
}

function asksItself(parent: ParentConfig): boolean {
  return parent.kind !== "direct" && parent.passesLogin;
}

const LOGIN_PASSED =
  "has login=pass: the credentials by which clients log in here go on to that proxy as well";

/** What is wrong with how a list of parents is told who asks; null when all is well. @param known clients say who they are */
function wrongLogin(parents: readonly ParentConfig[], known: boolean): string | null {
  const proxies = parents.filter((parent) => parent.kind !== "direct");
  if (proxies.some(({ passesLogin }) => passesLogin) && !proxies.every(({ passesLogin }) => passesLogin)) {
    return "must have login=pass for all of the proxies or for none: a client answers one of them";
  }
  if (!known && proxies.some(({ user }) => user === ANY_USER)) {
    return "has * for the client's user: clients do not say who they are without forward.users, forward.digest_file or forward.tokens";
  }
  return null;
}

const PASSWORD_SEEN = "holds a password that everybody on this machine can read (ps): " +
  "write it in a file (--config) or in the environment";

function openProxy({ address }: ListenConfig): string {
  const port = address.kind === "tcp" ? address.port : 0;
  return `${
    printAddress(address)
  } can be reached from other machines, and anybody there could use it to reach what this ` +
    "machine can reach: say who may (--forward-clients 10.0.0.0/8, --forward-users FILE or --forward-tokens FILE), " +
    `listen on 127.0.0.1:${port}, or write --forward-open if everybody may`;
}

/** Rules for a command that is run through the proxy. */
function checkThrough(
  top: Resolved,
  forward: readonly ListenConfig[],
  asks: boolean,
  { problems, warnings }: Findings,
): void {
  const { values } = top;
  const at = (path: OptionPath, message: string) => problemAt(top.originOf(path), path, message);
  if (forward.every(({ address }) => address.kind === "unix")) {
    problems.push(at("forward.listen", "must be a TCP address: programs find no proxy at a Unix socket"));
  }
  if (values.workers !== null && values.workers > 1) {
    problems.push(at("workers", "must be 1 while a command is run through the forward proxy"));
  }
  if (asks && values["forward.clients"].length === 0) {
    const path = ASKING.find((each) => values[each] !== null) ?? "forward.users";
    const message = "the command is given no password: it has to know one, or add forward.clients: 127.0.0.1";
    warnings.push(at(path, message));
  }
}
