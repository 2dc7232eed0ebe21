/** The part of the contract that is about certificates and keys as files hold them. Reached through contract.ts. */

/** A certificate; compared with others and with keys, never used as such: TLS gets the text. */
export interface Certificate {
  /** Whom it is for, in one line: `CN=www.example.test`, and further names after commas. "" when it has none. */
  readonly subject: string;
  /** Wall-clock milliseconds. */
  readonly validFrom: number;
  readonly validTo: number;
  /** Whether `other` is its issuer, by name and key identifier (RFC 5280 §4.1.2.4, §4.2.1.1); signatures are not looked at. */
  issuedBy(other: Certificate): boolean;
  isFor(key: PrivateKey): boolean;
}

/** A private key; its bytes stay inside. */
export interface PrivateKey {
  readonly kind: "private key";
}

/** Reads what PEM blocks hold. What it needs of the platform is loaded at its first use. */
export interface CertificateReader {
  /** @param pem one block with its armour; null when it holds no certificate */
  certificate(pem: string): Certificate | null;
  /** @param pem one block with its armour, not encrypted; null when it holds no key that the platform knows */
  privateKey(pem: string): PrivateKey | null;
  /**
   * What TLS says about them, for reasons that lie in no single file: a key that is too short, say.
   *
   * @returns null when it takes them, which on Deno it always does
   */
  refusal(use: { readonly ca?: string; readonly cert?: string; readonly key?: string }): string | null;
}
