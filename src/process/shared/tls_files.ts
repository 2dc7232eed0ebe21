/**
 * The files of `tls` and of `upstream_tls`: read, and judged before anything depends on them. Everything that uses such
 * files reads them here: `check`, the start, each worker, reloads and health checks of a swap.
 */

import {
  type Certificate,
  type CertificateReader,
  type PrivateKey,
  type ServerTls,
  type System,
  SystemError,
} from "../../../runtime/contract/contract.ts";
import type { Config, UpstreamConfig } from "../../config/values/config.ts";

export type TlsOption = "ca" | "cert" | "key";

/** Paths; null = the option is not given. */
export type TlsPaths = Readonly<Record<TlsOption, string | null>>;

/** Something about the file of an option, in words that go on after its name. */
export interface TlsFinding {
  readonly option: TlsOption;
  readonly words: string;
}

export interface TlsFiles {
  readonly texts: TlsPaths;
  /** Why they cannot be used; empty = they can. */
  readonly faults: readonly TlsFinding[];
  /** The certificate, and those of its issuers as far as they are in the file. */
  readonly chain: readonly Certificate[];
  readonly authorities: readonly Certificate[];
}

export function serverTlsPaths({ tls }: Config): TlsPaths | null {
  return tls === null ? null : { ca: null, cert: tls.certFile, key: tls.keyFile };
}

export function upstreamTlsPaths({ tls }: UpstreamConfig): TlsPaths {
  return { ca: tls.caFile, cert: tls.certFile, key: tls.keyFile };
}

/** Reads files and looks into them. Never throws. */
export async function readTlsFiles(system: System, paths: TlsPaths): Promise<TlsFiles> {
  const faults: TlsFinding[] = [];
  const read = async (option: TlsOption): Promise<string | null> => {
    const path = paths[option];
    if (path === null) return null;
    try {
      return await system.readText(path);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      faults.push({ option, words: `cannot be read: ${error.message}` });
      return null;
    }
  };
  const texts = { cert: await read("cert"), key: await read("key"), ca: await read("ca") };
  const { certificates: reader } = system;
  const judged = <T>(
    option: TlsOption,
    judge: (reader: CertificateReader, text: string) => T | string,
  ): T | null => {
    const text = texts[option];
    const found = text === null ? null : judge(reader, text);
    if (typeof found !== "string") return found;
    faults.push({ option, words: found });
    return null;
  };
  const chain = judged("cert", certificatesIn);
  const key = judged("key", keyIn);
  const authorities = judged("ca", certificatesIn) ?? [];
  if (chain !== null && key !== null) {
    const wrong = misfit(chain, key);
    if (wrong !== null) faults.push(wrong);
  }
  return { texts, faults, chain: chain ?? [], authorities };
}

/**
 * The texts of files that can be used.
 *
 * @param named the option's name as messages have it
 * @throws SystemError with the first fault, and the option's name and the file in its message
 */
export async function usableTlsFiles(
  system: System,
  paths: TlsPaths,
  named: (option: TlsOption) => string,
): Promise<TlsPaths> {
  const { texts, faults: [fault] } = await readTlsFiles(system, paths);
  if (fault === undefined) return texts;
  const { option, words } = fault;
  const where = words.startsWith("cannot be read") ? "" : `${paths[option]} `;
  throw new SystemError("", `${named(option)}: ${where}${words}`);
}

/** The certificate of the listeners, null when none speaks TLS. @throws SystemError */
export async function readServerTls(system: System, config: Config): Promise<ServerTls | null> {
  const paths = serverTlsPaths(config);
  if (paths === null) return null;
  const { cert, key } = await usableTlsFiles(system, paths, (option) => `tls.${option}`);
  return cert === null || key === null ? null : { cert, key, alpn: ["http/1.1"] };
}

/** What the platform's TLS does not take of files without a fault of their own: a key that is too short, say. */
export function tlsRefusal(
  { certificates }: System,
  { texts: { ca, cert, key } }: TlsFiles,
): TlsFinding | null {
  const own = cert !== null && key !== null ? certificates.refusal({ cert, key }) : null;
  if (own !== null) return { option: "cert", words: `and its key are not taken: ${own}` };
  const trusted = ca === null ? null : certificates.refusal({ ca });
  return trusted === null ? null : { option: "ca", words: `is not taken: ${trusted}` };
}

/**
 * What can be used, but the other end may refuse. An expired certificate is no fault of the configuration: clients
 * that do not look at it are served, and a start that it prevents would take all others down as well.
 *
 * @param now wall-clock milliseconds
 */
export function tlsWarnings({ chain, authorities }: TlsFiles, now: number): TlsFinding[] {
  const findings: TlsFinding[] = [];
  for (const [at, certificate] of chain.entries()) {
    const time = untimely(certificate, now);
    if (time !== null) {
      findings.push({ option: "cert", words: at === 0 ? time : `has an issuer that ${time}` });
    }
    const issuer = chain[at + 1];
    if (issuer === undefined || certificate.issuedBy(issuer)) continue;
    findings.push({
      option: "cert",
      words:
        `has a chain that is broken: certificate ${
          at + 2
        } (${issuer.subject}) is not the issuer of certificate ` +
        `${at + 1} (${certificate.subject})`,
    });
  }
  // Bundles keep authorities that are over; one that is not is enough.
  const [first] = authorities;
  if (first !== undefined && authorities.every((authority) => untimely(authority, now) !== null)) {
    const words = authorities.length === 1
      ? untimely(first, now) ?? ""
      : "has no authority that is valid now";
    findings.push({ option: "ca", words });
  }
  return findings;
}

function untimely({ validFrom, validTo, subject }: Certificate, now: number): string | null {
  if (now > validTo) return `expired on ${new Date(validTo).toISOString()} (${subject})`;
  return now < validFrom ? `is not valid before ${new Date(validFrom).toISOString()} (${subject})` : null;
}

const CERTIFICATE = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^-]*-----END \1-----/g;
const CERTIFICATE_BEGIN = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const KEY = /-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----[\s\S]*?-----END \1-----/;
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/** All certificates of a text, or what is wrong with it. */
function certificatesIn(reader: CertificateReader, text: string): readonly Certificate[] | string {
  const begun = text.match(CERTIFICATE_BEGIN)?.length ?? 0;
  if (begun === 0) return "has no certificate in PEM format";
  const blocks = text.match(CERTIFICATE) ?? [];
  const found: Certificate[] = [];
  for (const [at, block] of blocks.entries()) {
    const certificate = reader.certificate(block);
    if (certificate === null) return unreadable(at, begun);
    found.push(certificate);
  }
  return blocks.length < begun ? unreadable(blocks.length, begun) : found;
}

function unreadable(at: number, count: number): string {
  return count === 1
    ? "has a certificate that cannot be read"
    : `has ${count} certificates, of which number ${at + 1} cannot be read`;
}

function keyIn(reader: CertificateReader, text: string): PrivateKey | string {
  const [block] = KEY.exec(text) ?? [];
  if (block === undefined) return "has no private key in PEM format";
  if (ENCRYPTED.test(block)) return "is encrypted: there is nobody to ask for the passphrase";
  return reader.privateKey(block) ?? "has a private key that cannot be read";
}

/** Certificate and key that do not belong together, or a certificate that is not the first of its file. */
function misfit(chain: readonly Certificate[], key: PrivateKey): TlsFinding | null {
  const at = chain.findIndex((certificate) => certificate.isFor(key));
  if (at === 0) return null;
  const first = chain[0]?.subject ?? "";
  if (at < 0) return { option: "key", words: `is not the key of the certificate (${first})` };
  const words =
    `begins with another certificate (${first}) than that of the key, which is number ${at + 1}: ` +
    "it must be the first, its issuer next";
  return { option: "cert", words };
}
