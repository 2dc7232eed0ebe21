/** Value types of options about credentials: their names, and the origins that they are for. */

import { readHost, readPort } from "../../forward/destination_host.ts";
import type { OriginCredentialConfig } from "./config.ts";
import { asMap } from "./mapping.ts";
import { quoteIfOdd, shown } from "./shown.ts";
import { suggest } from "./suggest.ts";
import {
  fault,
  listItems,
  mustBe,
  type Parsed,
  success,
  text,
  unique,
  type ValueType,
} from "./value_type.ts";

/** The name of an entry of `credentials`. */
export function credentialName(): ValueType<string> {
  return text("name", "the name of an entry of credentials", /^[A-Za-z][A-Za-z0-9_-]{0,63}$/);
}

const ACCEPTS =
  "origins and names, like http://intranet.example:8080=corp, or mappings with origin and credential";
const KEYS = ["origin", "credential"];
const NAME = credentialName();

/** Origins with the credential for each; the first that fits a request counts. None twice. */
export function originCredentials(): ValueType<readonly OriginCredentialConfig[]> {
  return {
    name: "origins",
    accepts: ACCEPTS,
    many: true,
    parse(raw) {
      const items = asMap(raw) === null ? listItems(raw) : [raw];
      if (items === null) return mustBe(ACCEPTS, raw);
      return unique(items, Array.isArray(raw), originCredential, printOrigin);
    },
    print: (values) => values.map((value) => `${printOrigin(value)}=${value.credential}`),
  };
}

function originCredential(raw: unknown): Parsed<OriginCredentialConfig> {
  const map = asMap(raw);
  if (map === null) {
    const [, origin, name] = typeof raw === "string" ? /^([^=]*)=(.*)$/.exec(raw) ?? [] : [];
    if (origin === undefined || name === undefined) return mustBe(ACCEPTS, raw);
    return both(origin, name);
  }
  for (const key of map.keys()) {
    if (KEYS.includes(key)) continue;
    return fault(`unknown key: an entry has ${KEYS.join(", ")}`, suggest(key, KEYS), `.${quoteIfOdd(key)}`);
  }
  return both(map.get("origin"), map.get("credential"));
}

function both(rawOrigin: unknown, rawName: unknown): Parsed<OriginCredentialConfig> {
  const name = NAME.parse(rawName);
  if (!name.ok) return name;
  const origin = readOrigin(rawOrigin);
  return origin.ok ? success({ ...origin.value, credential: name.value }) : origin;
}

function readOrigin(raw: unknown): Parsed<{ readonly host: string; readonly port: number }> {
  const accepts = "an origin like http://intranet.example, http://.example.com:8080 or http://[::1]";
  if (typeof raw !== "string") return mustBe(accepts, raw);
  const [, scheme, host = "", portText] =
    /^(?:([a-z]+):\/\/)?(\[[^\]]*\]|[^:/?#@]*)(?::(\d*))?\/?$/i.exec(raw) ?? [];
  if (scheme?.toLowerCase() === "https") {
    return fault(
      "is https, which clients speak through a tunnel: what they send cannot be added to. Only http:// origins can have a credential here",
    );
  }
  if (scheme !== undefined && scheme.toLowerCase() !== "http") return mustBe(accepts, raw);
  const suffix = host.startsWith(".") || host.startsWith("*.");
  const read = readHost(suffix ? host.replace(/^\*?\./, "") : host);
  if (typeof read === "string" || (suffix && read.isLiteral)) return mustBe(accepts, raw);
  const port = portText === undefined || portText === "" ? null : readPort(portText);
  if (portText !== undefined && portText !== "" && port === null) return mustBe(accepts, shown(raw));
  return success({ host: suffix ? `.${read.key}` : read.key, port: port ?? 80 });
}

function printOrigin({ host, port }: Pick<OriginCredentialConfig, "host" | "port">): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === 80 ? `http://${name}` : `http://${name}:${port}`;
}
