/**
 * A credential of ours: who we are towards an origin or a parent, how we may prove it, and what is known about those who
 * have asked. Secrets and nonces are in private members, so that nothing that lists properties finds them.
 */

import type { Clock, Digests, TokenSource } from "../../runtime/contract/contract.ts";
import { utf8 } from "../forward/auth/secret_bytes.ts";
import { type DigestSession, userPassword } from "./digest_auth.ts";
import type { Secret } from "./secret.ts";

/** Weakest first. */
export const SCHEMES = ["basic", "bearer", "digest", "ntlm", "negotiate"] as const;
export type CredentialScheme = typeof SCHEMES[number];

export interface CredentialSettings {
  readonly name: string;
  readonly schemes: readonly CredentialScheme[];
  /** "" where the scheme needs none. */
  readonly user: string;
  readonly domain: string;
  /** It may be sent over connections that others can read. */
  readonly cleartext: boolean;
  /** `HTTP@host` instead of the host that is asked; "" = that one. */
  readonly service: string;
}

/** Where what is learned holds: an origin or a parent. Hosts may be chosen by clients, so they are limited. */
const MOST_SPACES = 1024;
/** A parent that has rejected us is left alone for so long; milliseconds. */
const BACK_OFF_MS = 30_000;

interface Space {
  /** The scheme that was asked for, if it can be answered before it is asked for again. */
  scheme: CredentialScheme | "";
  digest: DigestSession | null;
  /** Monotonic milliseconds until which nothing is sent there. */
  restsUntil: number;
}

/** Since the start. */
export class CredentialCounters {
  /** Requests sent with it, or on a connection that was authenticated with it. */
  used = 0;
  /** Challenges that were answered. */
  challenged = 0;
  /** Requests for which it was not good enough. */
  rejected = 0;
}

export interface CredentialParts {
  readonly settings: CredentialSettings;
  /** Null where the tokens come from elsewhere. */
  readonly secret: Secret | null;
  readonly tokens: TokenSource | null;
  readonly digests: Digests;
  readonly clock: Clock;
  readonly counters: CredentialCounters;
}

let made = 0;

export class Credential {
  readonly settings: CredentialSettings;
  readonly counters: CredentialCounters;
  readonly digests: Digests;
  readonly tokens: TokenSource | null;
  readonly clock: Clock;
  /**
   * Of the reuse key of connections that it authenticates as a whole; "" where none is. No two credentials of a process have
   * the same, nor has one whose secret another configuration has replaced.
   */
  readonly connectionKey: string;
  /** No two of a process have the same. */
  readonly id: string;
  readonly #secret: Secret | null;
  readonly #spaces = new Map<string, Space>();
  /** Nonces of connections that were challenged. */
  readonly #connectionSessions = new WeakMap<object, DigestSession>();
  /** Connections that were authenticated with it. */
  readonly #authenticated = new WeakSet<object>();

  constructor({ settings, secret, tokens, digests, clock, counters }: CredentialParts) {
    this.settings = settings;
    this.#secret = secret;
    this.tokens = tokens;
    this.digests = digests;
    this.clock = clock;
    this.counters = counters;
    made++;
    this.id = `${settings.name}#${made}`;
    this.connectionKey = this.bindsConnections ? this.id : "";
  }

  get name(): string {
    return this.settings.name;
  }

  /** It may authenticate whole connections: NTLM, Negotiate. */
  get bindsConnections(): boolean {
    const { schemes } = this.settings;
    return schemes.includes("ntlm") || schemes.includes("negotiate");
  }

  /** Null while there is none. */
  secretText(): string | null {
    return this.#secret?.text(this.clock.wall()) ?? null;
  }

  /** Counts the secrets that there have been. */
  get generation(): number {
    return this.#secret?.generation ?? 0;
  }

  /** Why it cannot be used now, in words without a secret; "" = it can. */
  get fault(): string {
    if (this.#secret === null || this.secretText() !== null) return "";
    return this.#secret.failure;
  }

  /** Its secret can become another one without another configuration. */
  get mayChange(): boolean {
    return this.#secret?.mayChange === true;
  }

  /** @returns whether the secret is another one now; never rejects */
  async refresh(): Promise<boolean> {
    const changed = this.#secret !== null && await this.#secret.refresh(this.clock.now());
    if (changed) this.#spaces.clear();
    return changed;
  }

  /**
   * To be called before a request is sent with it.
   *
   * @param space where to
   * @returns null = now; else resolves when it is worth asking `fault` and `rests`
   */
  prepare(space: string): Promise<unknown> | null {
    if (this.#secret === null) return null;
    if (this.rests(space)) return this.mayChange ? this.refresh() : null;
    const { generation } = this;
    const pending = this.#secret.prepare(this.clock.now(), this.clock.wall());
    if (this.generation !== generation) this.#spaces.clear();
    return pending;
  }

  // What is known about those who have asked

  #space(name: string): Space {
    const known = this.#spaces.get(name);
    if (known !== undefined) return known;
    if (this.#spaces.size >= MOST_SPACES) {
      const [oldest] = this.#spaces.keys();
      if (oldest !== undefined) this.#spaces.delete(oldest);
    }
    const space: Space = { scheme: "", digest: null, restsUntil: -Infinity };
    this.#spaces.set(name, space);
    return space;
  }

  /** What requests to there are sent with before anybody asks; "" = nothing. */
  earlyScheme(space: string): CredentialScheme | "" {
    const [only, ...others] = this.settings.schemes;
    if (others.length === 0 && (only === "basic" || only === "bearer")) return only;
    return this.#spaces.get(space)?.scheme ?? "";
  }

  learn(space: string, scheme: CredentialScheme): void {
    this.#space(space).scheme = scheme === "ntlm" || scheme === "negotiate" ? "" : scheme;
  }

  /**
   * The nonce for a request: that of the connection, whose requests come in order, else the one that was learned last there.
   * A server that wants its nonce counted without gaps gets one for each connection that way, after the first challenge.
   */
  digestSession(space: string, connection: object | null): DigestSession | null {
    const own = connection === null ? undefined : this.#connectionSessions.get(connection);
    return own ?? this.#spaces.get(space)?.digest ?? null;
  }

  setConnectionSession(connection: object, session: DigestSession): void {
    this.#connectionSessions.set(connection, session);
  }

  setDigestSession(space: string, session: DigestSession): void {
    this.#space(space).digest = session;
  }

  /** Nothing is sent there for the time being: it has rejected us a short while ago. */
  rests(space: string): boolean {
    return this.clock.now() < (this.#spaces.get(space)?.restsUntil ?? -Infinity);
  }

  rest(space: string): void {
    this.#space(space).restsUntil = this.clock.now() + BACK_OFF_MS;
  }

  /** It was good enough. */
  accepted(space: string): void {
    const known = this.#spaces.get(space);
    if (known !== undefined) known.restsUntil = -Infinity;
  }

  noteAuthenticated(connection: object): void {
    this.#authenticated.add(connection);
  }

  isAuthenticated(connection: object): boolean {
    return this.#authenticated.has(connection);
  }

  // Values of fields

  /** Null while there is no secret. */
  basic(): string | null {
    const password = this.secretText();
    if (password === null) return null;
    return `Basic ${btoa(String.fromCharCode(...utf8(`${this.settings.user}:${password}`)))}`;
  }

  bearer(): string | null {
    const token = this.secretText();
    return token === null ? null : `Bearer ${token}`;
  }

  /** Null while there is no secret. */
  digest(session: DigestSession, method: string, uri: string): string | null {
    const password = this.secretText();
    if (password === null) return null;
    return session.answer(this.digests, userPassword(this.settings.user, password), method, uri);
  }
}
