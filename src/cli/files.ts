/** Files that options name: what goes wrong with them is told with the option's name. */

import { type ServerTls, type System, SystemError } from "../../runtime/contract.ts";
import type { Config } from "../config/config.ts";

/** What a PEM file must hold. */
export type PemKind = "certificate" | "key";

/** What keeps a text from being used, in words that go on after the name of an option; null = nothing. */
export function pemFault(text: string, kind: PemKind): string | null {
  if (kind === "certificate") {
    return /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/.test(text)
      ? null
      : "has no certificate in PEM format";
  }
  if (!/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/.test(text)) return "has no private key in PEM format";
  const encrypted = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text);
  return encrypted ? "is encrypted: there is nobody to ask for the passphrase" : null;
}

/**
 * @param option path of the option that names the file
 * @throws SystemError with the option's name in its message
 */
export async function readPem(
  system: System,
  option: string,
  path: string,
  kind: PemKind,
): Promise<string> {
  const text = await named(`${option}: cannot be read`, () => system.readText(path));
  const wrong = pemFault(text, kind);
  if (wrong !== null) throw new SystemError("", `${option}: ${path} ${wrong}`);
  return text;
}

/** The certificate of the listeners, null when none speaks TLS. @throws SystemError */
export async function readServerTls(system: System, config: Config): Promise<ServerTls | null> {
  if (config.tls === null) return null;
  const { certFile, keyFile } = config.tls;
  return {
    cert: await readPem(system, "tls.cert", certFile, "certificate"),
    key: await readPem(system, "tls.key", keyFile, "key"),
    alpn: ["http/1.1"],
  };
}

/** Does `work`; a SystemError gets `what` in front of its message. */
export async function named<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new SystemError(error.code, `${what}: ${error.message}`);
  }
}
