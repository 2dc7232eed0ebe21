/** The certificate that every server with TLS shows in the benchmarks, made when it is first wanted. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** ECDSA with P-256, signed by itself, for localhost and 127.0.0.1. Lives as long as the folder it is in. */
export interface Certificate {
  /** Files in PEM format; `both` is the key and then the certificate, as HAProxy wants them. */
  readonly cert: string;
  readonly key: string;
  readonly both: string;
  /** What is in `cert`: a client that trusts this alone has met the right server. */
  readonly pem: string;
}

/** The one in `folder`. @throws when openssl cannot make it */
export function certificateIn(folder: string): Certificate {
  const [cert, key, both] = ["cert.pem", "key.pem", "both.pem"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  if (!existsSync(both)) {
    const made = spawnSync("openssl", [
      "req",
      "-x509",
      "-nodes",
      ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
      ...["-days", "30", "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
      ...["-keyout", key, "-out", cert],
    ], { encoding: "utf8" });
    if (made.status !== 0) throw new Error(`openssl req: ${made.error?.message ?? made.stderr}`);
    writeFileSync(both, readFileSync(key, "utf8") + readFileSync(cert, "utf8"), { mode: 0o600 });
  }
  return { cert, key, both, pem: readFileSync(cert, "utf8") };
}

/**
 * For `OPENSSL_CONF` of the load tools, so that all servers are asked for the same: they choose among what a client
 * offers, and not alike.
 */
export const CLIENT_TLS = `openssl_conf = init
[init]
ssl_conf = ssl
[ssl]
system_default = client
[client]
MinProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
`;
