/**
 * Environment variables that a container platform sets, not the user. Kubernetes gives every pod variables for
 * every Service of its namespace (`enableServiceLinks`), and Docker does it for links. Their names begin with the
 * name of the Service: one named `sluice` gives `SLUICE_PORT=tcp://10.96.12.7:80`, which is no option of ours.
 *
 * Sources: Kubernetes, "Discovering services" (pkg/kubelet/envvars); Docker, "Legacy container links" (libnetwork/links).
 */

import { canonicalIp } from "../../bytes/ip_address.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const HOST_SUFFIX = "_SERVICE_HOST";
/** `NAME_PORT` and `NAME_PORT_80_TCP`: the address of the Service, or of one of its ports. */
const URL_NAME = /^(.+?)_PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_START|_END)?)?$/;
const URL_VALUE = /^(?:tcp|udp|sctp):\/\/[^/]+:\d{1,5}$/;
const NUMBER = /^\d{1,5}$/;

/** What else a name may be followed by, and the values that it then has. */
const FURTHER: readonly { readonly suffix: RegExp; readonly isValue: (value: string) => boolean }[] = [
  { suffix: /^_SERVICE_PORT(?:_[A-Z0-9_]+)?$/, isValue: (value) => NUMBER.test(value) },
  { suffix: /^_PORT_\d+_(?:TCP|UDP|SCTP)_PORT(?:_START|_END)?$/, isValue: (value) => NUMBER.test(value) },
  { suffix: /^_PORT_\d+_(?:TCP|UDP|SCTP)_PROTO$/, isValue: (value) => /^(?:tcp|udp|sctp)$/.test(value) },
  { suffix: /^_PORT_\d+_(?:TCP|UDP|SCTP)_ADDR$/, isValue: isIp },
  // Docker: the path of the link, and the environment of the container that is linked.
  { suffix: /^_NAME$/, isValue: (value) => /^\/[^/]+\/[^/]+$/.test(value) },
  { suffix: /^_ENV_.+$/, isValue: () => true },
];

/**
 * Says which variables describe a Service or a link. A name alone does not decide it: the value must be of the
 * form that the platform writes, and a number or a word counts only beside the address of the same Service. So
 * `SLUICE_ADMIN_PORT=9000` remains a misspelt option.
 *
 * @returns names out of `env`. Linear in its size, but for the number of Services.
 */
export function serviceVariables(env: Environment, prefix: string): ReadonlySet<string> {
  const names = Object.keys(env).filter((name) => name.startsWith(prefix));
  const services = new Set<string>();
  const found = new Set<string>();
  for (const name of names) {
    const service = serviceOf(name, env[name] ?? "");
    if (service === null) continue;
    services.add(service);
    found.add(name);
  }
  for (const service of services) {
    for (const name of names) {
      if (!name.startsWith(service)) continue;
      const value = env[name] ?? "";
      const suffix = name.slice(service.length);
      if (FURTHER.some((each) => each.suffix.test(suffix) && each.isValue(value))) found.add(name);
    }
  }
  return found;
}

/** The Service whose address the variable says, as it stands in names; null when it says none. */
function serviceOf(name: string, value: string): string | null {
  if (name.endsWith(HOST_SUFFIX)) return isIp(value) ? name.slice(0, -HOST_SUFFIX.length) : null;
  if (!URL_VALUE.test(value)) return null;
  return URL_NAME.exec(name)?.[1] ?? null;
}

function isIp(value: string): boolean {
  return canonicalIp(value) !== null;
}
