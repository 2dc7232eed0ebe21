/** Rules about credentials of ours: those that are named are there, and go where they may be sent. */

import { isLoopback } from "../bytes/ip_address.ts";
import type { CredentialDraft } from "./file/credentials.ts";
import type { UpstreamDraft } from "./file/upstreams.ts";
import type { Findings } from "./checks.ts";
import type { Resolved } from "./options/layer.ts";
import type { Address } from "../../runtime/contract/contract.ts";
import type { UpstreamConfig } from "./values/config.ts";
import { type Origin, problemAt } from "./values/problem.ts";
import { suggest } from "./values/suggest.ts";

export function checkCredentials(
  credentials: ReadonlyMap<string, CredentialDraft>,
  upstreams: readonly UpstreamConfig[],
  top: Resolved,
  drafts: ReadonlyMap<string, UpstreamDraft>,
  { problems, warnings }: Findings,
): void {
  const used = new Set<string>();
  /** @param readable a place on the way to which others can read along; null = there is none */
  const check = (name: string, origin: Origin, path: string, readable: string | null) => {
    used.add(name);
    const draft = credentials.get(name);
    if (draft === undefined) {
      const known = [...credentials.keys()];
      const message = known.length === 0
        ? `no credential is named ${name}: there are no credentials in the file`
        : `no credential is named ${name}: there is ${known.slice(0, 8).join(", ")}`;
      problems.push(problemAt(origin, path, message, suggest(name, known)));
    } else if (readable !== null && draft.config?.cleartext === false) {
      const message =
        `would send credential ${name} to ${readable} in clear text: use https://, or say cleartext: true in its ` +
        "entry if nobody else can read on the way";
      problems.push(problemAt(origin, path, message));
    }
  };
  for (const { name, credential, endpoints } of upstreams) {
    if (credential === null) continue;
    const own = drafts.get(name)?.options.get("credential");
    const path = own === undefined ? "credential" : `upstreams.${name}.credential`;
    const clear = endpoints.find(({ scheme, address }) => scheme === "http" && !staysHere(address));
    check(credential, own?.origin ?? top.originOf("credential"), path, clear?.name ?? null);
  }
  const { values } = top;
  if (values["forward.listen"] !== null) {
    for (const { host, credential } of values["forward.credentials"]) {
      const here = host === "localhost" || isLoopback(host);
      check(credential, top.originOf("forward.credentials"), "forward.credentials", here ? null : host);
    }
    const lists = [
      ["forward.parents", values["forward.parents"]] as const,
      ...values["forward.rules"].map(({ action }) =>
        ["forward.rules", action.kind === "parents" ? action.parents : []] as const
      ),
    ];
    for (const [path, parents] of lists) {
      for (const parent of parents) {
        if (parent.kind !== "http" || parent.credential === null) continue;
        const clear = parent.scheme === "http" && !staysHere(parent.address);
        check(parent.credential, top.originOf(path), path, clear ? parent.name : null);
      }
    }
  }
  for (const [name, { origin }] of credentials) {
    if (used.has(name)) continue;
    warnings.push(problemAt(origin, `credentials.${name}`, "is not used: nothing names it"));
  }
}

function staysHere(address: Address): boolean {
  return address.kind === "unix" || address.host === "localhost" || isLoopback(address.host);
}
