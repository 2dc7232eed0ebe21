/** The `credentials` of the file: who Sluice is towards origins and parent proxies. Secrets themselves are never in it. */

import { type CredentialScheme, SCHEMES } from "../../credentials/credential.ts";
import { isUserName } from "../../forward/auth/secret_file.ts";
import { commandWords, type Words } from "../values/command_words.ts";
import type { CredentialConfig, SecretConfig } from "../values/config.ts";
import { asMap, type Mapping } from "../values/mapping.ts";
import { type Origin, type Problem, problemAt, problemsOf } from "../values/problem.ts";
import { duration } from "../values/quantity.ts";
import { quoteIfOdd, shown } from "../values/shown.ts";
import { suggest } from "../values/suggest.ts";
import { boolean, list, oneOf, path, text, type ValueType } from "../values/value_type.ts";
import { type Document, originIn } from "./document.ts";
import { join } from "./file_options.ts";
import { isUpstreamName } from "./upstreams.ts";

export interface CredentialDraft {
  /** Null when it cannot be used, which has been reported. */
  readonly config: CredentialConfig | null;
  readonly origin: Origin;
}

/** The keys of an entry, for the reference. */
export const CREDENTIAL_KEYS: readonly (readonly [key: string, meaning: string])[] = [
  [
    "scheme",
    "one or several of `basic`, `bearer`, `digest`, `ntlm`, `negotiate`; of several the strongest that is asked for",
  ],
  ["user", "name of the user; for all but `bearer` and `negotiate`"],
  ["domain", "domain of the user, for `ntlm`"],
  ["password_file", "file with the password; a line's end at its end does not count"],
  ["password_env", "the same in an environment variable"],
  ["token_file", "file with the token of `bearer`; read again when it changes"],
  [
    "token_command",
    "command that prints the token; run again when the token's `exp` (JWT) is near, or after `token_cache`",
  ],
  ["token_cache", "how long a token of `token_command` without `exp` is used; `5m` unless given"],
  [
    "helper",
    "command that makes the tokens of `negotiate`, in the lines of Samba's `ntlm_auth`; `{host}` is the host",
  ],
  ["service", "`HTTP@host` that `negotiate` asks a ticket for; the host that is asked unless given"],
  ["cleartext", "`true`: may be sent over connections that others can read; to this machine it always may"],
];
const KEYS = CREDENTIAL_KEYS.map(([key]) => key);
const SECRETS = ["password_file", "password_env", "token_file", "token_command"] as const;
const WITH_PASSWORD: readonly CredentialScheme[] = ["basic", "digest", "ntlm"];
const TOKEN_CACHE_MS = 300_000;

const SCHEME = list(oneOf(...SCHEMES), "schemes", `one or several of ${SCHEMES.join(", ")}`);
const USER = text("user", "the name of a user, without control characters", /^[^\p{Cc}]{1,255}$/u);
const VARIABLE = text("variable", "the name of an environment variable", /^[A-Za-z_][A-Za-z0-9_]{0,254}$/);
const SERVICE = text(
  "service",
  "a service like HTTP@host.example",
  /^[A-Za-z]{1,32}@[A-Za-z0-9._:-]{1,253}$/,
);
const COMMAND = commandWords();
const CACHE = duration("1s", "1d");

/** All entries, also those with problems, so that what names them is not reported as well. */
export function readCredentials(file: Document, problems: Problem[]): ReadonlyMap<string, CredentialDraft> {
  const drafts = new Map<string, CredentialDraft>();
  const raw = file.root.get("credentials");
  if (raw === undefined) return drafts;
  const map = asMap(raw);
  if (map === null) {
    const message =
      `must be a mapping of names, like {corp: {scheme: digest, user: me, password_file: FILE}}, got ${
        shown(raw)
      }`;
    problems.push(problemAt(originIn(file, "credentials"), "credentials", message));
    return drafts;
  }
  for (const [name, value] of map) {
    const place = join("credentials", name);
    const origin = originIn(file, place);
    const entry = asMap(value);
    if (!isUpstreamName(name)) {
      const message = "must be a name of letters, digits, - and _ that begins with a letter";
      problems.push(problemAt(origin, place, message));
      continue;
    }
    if (entry === null) {
      problems.push(
        problemAt(origin, place, `must be a mapping with ${KEYS.join(", ")}, got ${shown(value)}`),
      );
    }
    const config = entry === null ? null : new EntryReader(file, place, entry, problems).read(name);
    drafts.set(name, { config, origin });
  }
  return drafts;
}

class EntryReader {
  readonly #file: Document;
  readonly #place: string;
  readonly #entry: Mapping;
  readonly #problems: Problem[];
  #sound = true;

  constructor(file: Document, place: string, entry: Mapping, problems: Problem[]) {
    this.#file = file;
    this.#place = place;
    this.#entry = entry;
    this.#problems = problems;
  }

  read(name: string): CredentialConfig | null {
    for (const key of this.#entry.keys()) {
      if (!KEYS.includes(key)) {
        this.#blame(quoteIfOdd(key), `unknown key: a credential has ${KEYS.join(", ")}`, suggest(key, KEYS));
      }
    }
    if (!this.#entry.has("scheme")) this.#blame("", `has no scheme: add scheme: ${SCHEMES.join(" | ")}`);
    const schemes = [...new Set(this.#value("scheme", SCHEME) ?? [])];
    if (this.#entry.has("scheme") && this.#sound && schemes.length === 0) {
      this.#blame("scheme", "must not be an empty list");
    }
    const user = this.#value("user", USER) ?? "";
    const domain = this.#value("domain", USER) ?? "";
    const service = this.#value("service", SERVICE) ?? "";
    const helper = this.#value("helper", COMMAND);
    const cleartext = this.#value("cleartext", boolean()) ?? false;
    const secret = this.#secret();
    if (!this.#sound) return null;
    this.#checkScheme(schemes, user, secret);
    this.#checkUnused(schemes, secret);
    return this.#sound ? { name, schemes, user, domain, service, helper, cleartext, secret } : null;
  }

  #secret(): SecretConfig {
    const given = SECRETS.filter((key) => this.#entry.has(key));
    const [first, second] = given;
    if (second !== undefined) this.#blame(second, `is given beside ${first}: keep one of the two`);
    const cacheMs = this.#value("token_cache", CACHE) ?? TOKEN_CACHE_MS;
    const file = this.#value("password_file", path()) ?? this.#value("token_file", path());
    const variable = this.#value("password_env", VARIABLE);
    const command: Words | null = this.#value("token_command", COMMAND);
    if (file !== null) {
      return { kind: "file", what: first === "token_file" ? "token" : "password", path: file };
    }
    if (variable !== null) return { kind: "env", what: "password", variable };
    if (command !== null) return { kind: "command", what: "token", command, cacheMs };
    return { kind: "none" };
  }

  #checkScheme(schemes: readonly CredentialScheme[], user: string, secret: SecretConfig): void {
    const bearer = schemes.includes("bearer");
    const withPassword = schemes.find((scheme) => WITH_PASSWORD.includes(scheme));
    const what = "what" in secret ? secret.what : null;
    if (bearer && schemes.length > 1) {
      this.#blame("scheme", "has bearer beside others: a token needs a credential of its own");
    } else if (bearer && what !== "token") {
      this.#blame("", "has no token: add token_file or token_command");
    } else if (withPassword !== undefined && what !== "password") {
      this.#blame("", `has no password, which ${withPassword} needs: add password_file or password_env`);
    }
    if (withPassword !== undefined && user === "") {
      this.#blame("", `has no user, which ${withPassword} needs: add user: NAME`);
    }
    if (schemes.includes("basic") && user !== "" && !isUserName(user)) {
      this.#blame("user", "must not have a colon for basic (RFC 7617 §2)");
    }
  }

  #checkUnused(schemes: readonly CredentialScheme[], secret: SecretConfig): void {
    const unless = (key: string, used: boolean, why: string) => {
      if (this.#entry.has(key) && !used) this.#blame(key, `has no effect without ${why}: remove it`);
    };
    const negotiate = schemes.includes("negotiate");
    const withPassword = schemes.some((scheme) => WITH_PASSWORD.includes(scheme));
    unless("domain", schemes.includes("ntlm"), "scheme ntlm");
    unless("helper", negotiate, "scheme negotiate");
    unless("service", negotiate, "scheme negotiate");
    unless("token_cache", secret.kind === "command", "token_command");
    unless("user", withPassword, "a scheme with a password");
    for (const key of ["password_file", "password_env"]) {
      unless(key, withPassword, "a scheme with a password");
    }
    for (const key of ["token_file", "token_command"]) {
      unless(key, schemes.includes("bearer"), "scheme bearer");
    }
  }

  /** Null when the key is missing, or its value is wrong, which has been reported. */
  #value<T>(key: string, type: ValueType<T>): T | null {
    if (!this.#entry.has(key)) return null;
    const parsed = type.parse(this.#entry.get(key));
    if (parsed.ok) return parsed.value;
    this.#sound = false;
    const place = `${this.#place}.${key}`;
    this.#problems.push(...problemsOf(originIn(this.#file, place), place, parsed.faults));
    return null;
  }

  /** @param key "" = the entry as a whole */
  #blame(key: string, message: string, suggestion: string | null = null): void {
    this.#sound = false;
    const place = key === "" ? this.#place : `${this.#place}.${key}`;
    this.#problems.push(problemAt(originIn(this.#file, place), place, message, suggestion));
  }
}
