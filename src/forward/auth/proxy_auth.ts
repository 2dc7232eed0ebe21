/**
 * Whether a request may use the proxy, and as whom (RFC 9110 §11.7). Decided for each request by itself: a connection has
 * no user.
 */

import type { Clock, Digests } from "../../../runtime/contract/contract.ts";
import { ipBytes } from "../../bytes/ip_address.ts";
import { Field } from "../../http/field.ts";
import type { FieldSection } from "../../http/field_section.ts";
import type { Head } from "../../http/head.ts";
import { fieldSection, joinedSections } from "../../http/own_fields.ts";
import { type BasicCredentials, readBasic } from "./basic_credentials.ts";
import { type BearerTokens, readBearer } from "./bearer_tokens.ts";
import { DigestAuth, type DigestVerdict } from "./digest_auth.ts";
import { isDigest } from "./digest_credentials.ts";
import { GuessLimit } from "./guess_limit.ts";
import type { Htdigest } from "./htdigest.ts";
import type { Htpasswd } from "./htpasswd.ts";
import { SlicedWork } from "./sliced_work.ts";
import { type ValueKey, ValueKeys, VerifiedMemory } from "./verified_memory.ts";

/** How long a password that was right is not worked out again. */
const REMEMBER_MS = 300_000;
const REMEMBERED = 10_000;
/** Passwords that were wrong: for programs that repeat one. Few, and apart, so that guessing pushes no right one out. */
const REMEMBERED_WRONG = 1_000;
/** Addresses and users whose failures are counted. */
const COUNTED = 10_000;

export interface ProxyAuthOptions {
  /** At least one of the three. */
  readonly users: Htpasswd | null;
  readonly digestUsers?: Htdigest | null;
  readonly tokens: BearerTokens | null;
  readonly digests: Digests;
  readonly clock: Clock;
}

/** Use as this user. */
export interface Admission {
  readonly kind: "user";
  readonly user: string;
}

/** 407. */
export interface Challenge {
  readonly kind: "challenge";
  /** The request has credentials, but none that are right. */
  readonly given: boolean;
  /** Proxy-Authenticate, a line for each scheme: two on one line make some clients give up. */
  readonly fields: FieldSection;
  /** Milliseconds, 0 to 1000, after which the answer is to be sent. */
  readonly delayMs: number;
  /** For the reason phrase. */
  readonly words: string;
  /** Whom the request names, for logs; null when it names no user in a way that could be read. */
  readonly claimedUser: string | null;
}

/** 503: too many passwords are being worked out. */
export interface AuthBusy {
  readonly kind: "busy";
  readonly words: string;
}

export type AuthVerdict = Admission | Challenge | AuthBusy;

/** The verdict comes later. It is a rejection only if the platform fails, which is a fault of ours. */
export interface AuthPending {
  readonly kind: "pending";
  readonly verdict: Promise<AuthVerdict>;
}

const BUSY: AuthBusy = Object.freeze({ kind: "busy", words: "too many log-ins at a time" });

/** Holds nothing that is written anywhere; a new configuration gets a new one, which has forgotten all. */
export class ProxyAuth {
  readonly #users: Htpasswd | null;
  readonly #tokens: BearerTokens | null;
  readonly #digests: Digests;
  readonly #clock: Clock;
  /** The challenges that are always the same. */
  readonly #fields: FieldSection;
  readonly #digest: DigestAuth | null;
  /** What is offered, in the order in which it is. */
  readonly schemes: readonly ("Basic" | "Bearer" | "Digest")[];
  readonly #keys: ValueKeys;
  readonly #work: SlicedWork;
  readonly #right = new VerifiedMemory<string>(REMEMBER_MS, REMEMBERED);
  readonly #wrong = new VerifiedMemory<true>(REMEMBER_MS, REMEMBERED_WRONG);
  /** Values that are being worked out: one at a time each. Whether they are right. */
  readonly #underWay = new Map<ValueKey, Promise<boolean>>();
  readonly #byAddress = new GuessLimit(COUNTED);
  readonly #byUser = new GuessLimit(COUNTED);

  constructor({ users, digestUsers = null, tokens, digests, clock }: ProxyAuthOptions) {
    this.#users = users;
    this.#tokens = tokens;
    this.#digests = digests;
    this.#clock = clock;
    this.#keys = new ValueKeys(digests);
    this.#work = new SlicedWork(clock);
    this.schemes = [
      ...(users === null ? [] : ["Basic" as const]),
      ...(tokens === null ? [] : ["Bearer" as const]),
      ...(digestUsers === null ? [] : ["Digest" as const]),
    ];
    this.#digest = digestUsers === null ? null : new DigestAuth(digestUsers, digests, clock);
    this.#fields = fieldSection(
      ...(users === null ? [] : [["Proxy-Authenticate", 'Basic realm="sluice", charset="UTF-8"'] as const]),
      ...(tokens === null ? [] : [["Proxy-Authenticate", 'Bearer realm="sluice"'] as const]),
    );
  }

  /**
   * Judges a request. What is remembered, tokens and requests without credentials are judged at once; a password that has to
   * be worked out is `pending`.
   *
   * @param clientAddress IP literal, "" for Unix sockets
   * @param nowMs of the clock
   * @param path what an origin would be sent in its request line; "" for CONNECT
   */
  check(head: Head, clientAddress: string, nowMs: number, path = ""): AuthVerdict | AuthPending {
    const value = head.valueOf(Field.proxyAuthorization);
    if (value === null) return this.#challenge("credentials are needed", false, 0, null);
    const source = sourceOf(clientAddress);
    // Two lines: a recipient that looks at the other one sees another user.
    if (head.isRepeated(Field.proxyAuthorization)) return this.#malformed(source, nowMs);
    if (this.#digest !== null && isDigest(value)) {
      return this.#checkDigest(this.#digest.check(value, head, path), source, nowMs);
    }
    const token = this.#tokens === null ? null : readBearer(value);
    if (token !== null) {
      const user = this.#tokens?.userOf(token) ?? null;
      return user === null ? this.#failed(source, null, nowMs) : { kind: "user", user };
    }
    const key = this.#keys.keyOf(value);
    const known = this.#right.get(key, nowMs);
    if (known !== null) return { kind: "user", user: known };
    const credentials = this.#users === null ? null : readBasic(value);
    if (credentials === null) return this.#malformed(source, nowMs);
    return this.#checkPassword(key, credentials, source, nowMs);
  }

  #checkDigest(verdict: DigestVerdict, source: string, nowMs: number): AuthVerdict {
    switch (verdict.kind) {
      case "user":
        return verdict;
      case "stale":
        return this.#challenge("the nonce is stale", false, 0, null, true);
      case "wrong":
        return this.#failed(source, verdict.user, nowMs);
      case "malformed":
        return this.#malformed(source, nowMs);
      default:
        return verdict satisfies never;
    }
  }

  #checkPassword(
    key: ValueKey,
    credentials: BasicCredentials,
    source: string,
    nowMs: number,
  ): AuthVerdict | AuthPending {
    const { user } = credentials;
    if (this.#wrong.get(key, nowMs) !== null) return this.#failed(source, user, nowMs);
    const isRight = this.#underWay.get(key) ?? this.#begin(key, credentials, source);
    if (isRight === null) return BUSY;
    const verdict = isRight.then((right): AuthVerdict =>
      right ? { kind: "user", user } : this.#failed(source, user, this.#clock.now())
    );
    return { kind: "pending", verdict };
  }

  /** Null when there is no room. */
  #begin(key: ValueKey, credentials: BasicCredentials, source: string): Promise<boolean> | null {
    const { user } = credentials;
    const users = this.#users;
    if (users === null) return null;
    const chance = this.#keys.chanceOf(user);
    const work = users.verify(user, credentials.passwordBytes(), chance, this.#digests);
    const result = this.#work.run(source, work);
    if (result === null) return null;
    const isRight = result.then((right) => {
      const nowMs = this.#clock.now();
      if (right) this.#right.set(key, user, nowMs);
      else this.#wrong.set(key, true, nowMs);
      return right;
    }).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, isRight);
    return isRight;
  }

  #malformed(source: string, nowMs: number): Challenge {
    const delayMs = this.#byAddress.failed(source, nowMs);
    return this.#challenge("Proxy-Authorization is malformed", true, delayMs, null);
  }

  #failed(source: string, user: string | null, nowMs: number): Challenge {
    const byUser = user === null ? 0 : this.#byUser.failed(user, nowMs);
    const delayMs = Math.max(this.#byAddress.failed(source, nowMs), byUser);
    return this.#challenge("wrong credentials", true, delayMs, user);
  }

  #challenge(
    words: string,
    given: boolean,
    delayMs: number,
    claimedUser: string | null,
    stale = false,
  ): Challenge {
    const fields = this.#digest === null
      ? this.#fields
      : joinedSections(this.#fields, this.#digest.challenges(stale));
    return { kind: "challenge", given, fields, delayMs, words, claimedUser };
  }
}

/** Who counts as one client: an IPv4 address, or the 64 bits in front of an IPv6 one, which a single machine may have whole. */
function sourceOf(address: string): string {
  const bytes = ipBytes(address);
  return bytes === null ? "" : bytes.slice(0, bytes.length === 4 ? 4 : 8).join(".");
}
