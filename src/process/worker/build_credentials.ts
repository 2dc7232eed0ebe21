/** The credentials of a configuration, with their secrets, and who is sent which. */

import { type Runtime, type System, SystemError } from "../../../runtime/contract/contract.ts";
import type {
  CredentialConfig,
  EndpointConfig,
  OriginCredentialConfig,
  UpstreamConfig,
} from "../../config/values/config.ts";
import { Credential, CredentialCounters } from "../../credentials/credential.ts";
import { OriginCredentials } from "../../credentials/origin_credentials.ts";
import { Secret, SecretFailure, type SecretText } from "../../credentials/secret.ts";
import type { UpstreamCredentials } from "../../exchange/login.ts";
import { fingerprintOf, lackOf, optionOf, secretSource } from "../shared/credential_files.ts";
import { helperTokens } from "../shared/token_helper.ts";

interface BuiltCredential {
  readonly credential: Credential;
  /** Equal for equal entries with equal secrets. */
  readonly key: string;
}

export class BuiltCredentials {
  readonly #all: ReadonlyMap<string, BuiltCredential>;

  constructor(all: ReadonlyMap<string, BuiltCredential>) {
    this.#all = all;
  }

  get list(): readonly Credential[] {
    return [...this.#all.values()].map(({ credential }) => credential);
  }

  /** Equal while all of them are the same. */
  get key(): string {
    return this.list.map(({ id }) => id).join(",");
  }

  known(name: string): BuiltCredential | null {
    return this.#all.get(name) ?? null;
  }

  /** @throws Error when there is none: the configuration was not checked */
  of(name: string): Credential {
    const built = this.#all.get(name);
    if (built === undefined) throw new Error(`no credential ${name}`);
    return built.credential;
  }

  /** Null when no request to the upstream is sent with any. */
  ofUpstream({ credential, endpoints }: UpstreamConfig): UpstreamCredentials | null {
    const parents = endpoints.flatMap(({ name, proxy }) =>
      proxy?.credential == null ? [] : [[name, this.of(proxy.credential)] as const]
    );
    if (credential === null && parents.length === 0) return null;
    return {
      origin: credential === null ? null : this.of(credential),
      authority: "",
      parents: parents.length === 0 ? null : new Map(parents),
    };
  }

  /** Of the reuse key of connections to an endpoint. */
  connectionKey({ credential }: Pick<UpstreamConfig, "credential">, { proxy }: EndpointConfig): string {
    return [credential, proxy?.credential ?? null]
      .flatMap((name) => name === null ? [] : [this.of(name).connectionKey])
      .filter((key) => key !== "").join(",");
  }

  ofOrigins(entries: readonly OriginCredentialConfig[]): OriginCredentials | null {
    if (entries.length === 0) return null;
    return new OriginCredentials(
      entries.map(({ host, port, credential }) => ({ host, port, credential: this.of(credential) })),
    );
  }
}

export const NO_CREDENTIALS = new BuiltCredentials(new Map());

/**
 * @param before those in use: what is known of one goes on if it is the same
 * @throws SystemError when a secret cannot be read
 */
export async function buildCredentials(
  { clock, capabilities }: Runtime,
  system: System,
  configs: readonly CredentialConfig[],
  before: BuiltCredentials,
): Promise<BuiltCredentials> {
  const all = new Map<string, BuiltCredential>();
  for (const config of configs) {
    const { name, secret, schemes, user, domain, cleartext, service, helper } = config;
    const lack = lackOf(system, capabilities, config);
    if (lack !== null) throw new SystemError("", `credentials.${name}.${lack.option}: ${lack.words}`);
    const source = secretSource(system, clock, secret);
    const first = source === null || source.changes === "command"
      ? null
      : await read(config, () => source.read());
    const print = first === null || ("what" in secret && secret.what === "token")
      ? ""
      : fingerprintOf(system, first.text);
    const key = JSON.stringify([config, print]);
    const known = before.known(name);
    if (known?.key === key) {
      all.set(name, known);
      continue;
    }
    const credential = new Credential({
      settings: { name, schemes, user, domain, cleartext, service },
      secret: source === null ? null : new Secret(source, first),
      tokens: !schemes.includes("negotiate")
        ? null
        : helper === null
        ? system.tokens
        : helperTokens(system, clock, helper),
      digests: system.digests,
      clock,
      counters: known?.credential.counters ?? new CredentialCounters(),
    });
    all.set(name, { credential, key });
  }
  return new BuiltCredentials(all);
}

async function read(
  { name, secret }: CredentialConfig,
  look: () => Promise<SecretText>,
): Promise<SecretText> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof SecretFailure)) throw error;
    throw new SystemError("", `credentials.${name}.${optionOf(secret)}: ${error.message}`);
  }
}
