/** Certificates and keys over node:crypto, which all three platforms have. */
import type { KeyObject, X509Certificate } from "node:crypto";
import type { Certificate, CertificateReader, PrivateKey } from "../contract/contract.ts";
import { cryptoModule, tlsModule } from "./lazy_module.ts";
import { errorDetail } from "./socket_error.ts";

class KnownKey implements PrivateKey {
  readonly kind = "private key";
  readonly key: KeyObject;

  constructor(key: KeyObject) {
    this.key = key;
  }
}

class KnownCertificate implements Certificate {
  readonly #certificate: X509Certificate;
  readonly subject: string;
  readonly validFrom: number;
  readonly validTo: number;

  constructor(certificate: X509Certificate) {
    this.#certificate = certificate;
    // A line each; undefined where there is none.
    this.subject = (certificate.subject ?? "").trim().replaceAll("\n", ", ");
    this.validFrom = Date.parse(certificate.validFrom);
    this.validTo = Date.parse(certificate.validTo);
  }

  issuedBy(other: Certificate): boolean {
    return other instanceof KnownCertificate && this.#certificate.checkIssued(other.#certificate);
  }

  isFor(key: PrivateKey): boolean {
    return key instanceof KnownKey && this.#certificate.checkPrivateKey(key.key);
  }
}

export const certificateReader: CertificateReader = {
  certificate(pem) {
    const { X509Certificate } = cryptoModule();
    try {
      return new KnownCertificate(new X509Certificate(pem));
    } catch {
      return null;
    }
  },
  privateKey(pem) {
    try {
      return new KnownKey(cryptoModule().createPrivateKey(pem));
    } catch {
      return null;
    }
  },
  refusal(use) {
    try {
      tlsModule().createSecureContext({ ...use });
      return null;
    } catch (error) {
      return errorDetail(error);
    }
  },
};
