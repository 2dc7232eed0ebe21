/** The part of the configuration that is about credentials of ours. */

import type { CredentialScheme } from "../../credentials/credential.ts";

/** Who Sluice is towards an origin or a parent proxy. The secret is somewhere else. */
export interface CredentialConfig {
  readonly name: string;
  readonly schemes: readonly CredentialScheme[];
  /** "" where no scheme needs one. */
  readonly user: string;
  readonly domain: string;
  /** `HTTP@host` for tickets; "" = the host that is asked. */
  readonly service: string;
  /** Makes the tokens of Negotiate; null = the platform does. */
  readonly helper: readonly [string, ...string[]] | null;
  readonly cleartext: boolean;
  readonly secret: SecretConfig;
}

export type SecretConfig =
  | { readonly kind: "none" }
  /** Takes the place of whatever it is where nothing is sent. */
  | { readonly kind: "sample" }
  | { readonly kind: "file"; readonly what: "password" | "token"; readonly path: string }
  | { readonly kind: "env"; readonly what: "password"; readonly variable: string }
  | {
    readonly kind: "command";
    readonly what: "token";
    readonly command: readonly [string, ...string[]];
    /** How long a token that does not say when it ends is used. */
    readonly cacheMs: number;
  };

/** An origin, and the name of its credential. */
export interface OriginCredentialConfig {
  /** Canonical: a name, an IP literal without brackets, or `.suffix` for all names below one. */
  readonly host: string;
  readonly port: number;
  readonly credential: string;
}
