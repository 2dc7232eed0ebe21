/**
 * What one request does at one hop to be let in with a credential: what it is sent with at first, and how challenges are
 * answered. The hop is an origin (401, Authorization) or a parent proxy (407, Proxy-Authorization); both go alike.
 *
 * Basic, Bearer and Digest are about a request, and get one more sending; Digest a second one when the nonce was too old. NTLM
 * and Negotiate are about a connection: a handshake goes on where it has begun.
 */

import type { TokenContext } from "../../runtime/contract/contract.ts";
import type { Challenge } from "./challenge.ts";
import { type Credential, type CredentialScheme, SCHEMES } from "./credential.ts";
import { type DigestChallenge, digestChallenge, DigestSession, nextNonce } from "./digest_auth.ts";
import { authenticateMessage, negotiateMessage, readChallengeMessage } from "./ntlm/ntlm_messages.ts";

/** How the request goes on after a challenge. */
export interface NextSending {
  /** Only on the connection on which the challenge has come. */
  readonly sameConnection: boolean;
  /** Null = at once; else resolves with whether it can be sent. */
  readonly ready: Promise<boolean> | null;
}

const AT_ONCE: NextSending = { sameConnection: false, ready: null };
const ON_THIS: NextSending = { sameConnection: true, ready: null };

/** Handshakes that a request may begin: a connection may be lost within one. */
const MOST_HANDSHAKES = 2;
/** Tokens of one Negotiate handshake. */
const MOST_TOKENS = 4;

/** A challenge that can be answered. */
interface Choice {
  readonly scheme: CredentialScheme;
  readonly challenge: Challenge;
  readonly digest: DigestChallenge | null;
}

/**
 * The strongest challenge that the credential can answer; null = none. Of Digest SHA-256 is stronger than MD5; otherwise the
 * first one of a scheme counts.
 */
export function strongest(
  schemes: readonly CredentialScheme[],
  challenges: readonly Challenge[],
): Choice | null {
  let best: Choice | null = null;
  let bestRank = -1;
  for (const challenge of challenges) {
    const scheme = schemes.find((each) => each === challenge.scheme);
    if (scheme === undefined) continue;
    const digest = scheme === "digest" ? digestChallenge(challenge) : null;
    if (scheme === "digest" && digest === null) continue;
    const rank = SCHEMES.indexOf(scheme) * 2 + Number(digest?.hash === "sha256");
    if (rank <= bestRank) continue;
    best = { scheme, challenge, digest };
    bestRank = rank;
  }
  return best;
}

/**
 * - `parent`: a proxy
 * - `origin`: at the other end of the connection
 * - `origin by proxy`: the connection is no origin's, so nothing may be proved that holds for a connection
 */
export type Hop = "parent" | "origin" | "origin by proxy";

function isBound(scheme: CredentialScheme): boolean {
  return scheme === "ntlm" || scheme === "negotiate";
}

export class HopLogin {
  readonly credential: Credential;
  readonly #space: string;
  readonly #host: string;
  readonly #isParent: boolean;
  readonly #schemes: readonly CredentialScheme[];
  /** The token that the next sending carries; "" = none. */
  #token = "";
  /** What the request was sent with last. */
  #sent: CredentialScheme | "" = "";
  #generation = 0;
  #secretRenewed = false;
  #answers = 0;
  #staleAnswers = 0;
  #handshakes = 0;
  #tokens = 0;
  /** A handshake goes on on the connection. */
  #begun = false;
  /** One has begun there, whatever came of it. */
  #touched = false;
  #context: TokenContext | null = null;
  /** Of the challenge to this request; null = there was none. */
  #challenged: DigestSession | null = null;
  /** What the request was sent with last; null = with no nonce. */
  #session: DigestSession | null = null;
  /** The last challenge said that the nonce was too old. */
  stale = false;
  #connection: object | null = null;
  /** The last challenge was not answered any more. */
  rejected = false;
  /** Why a token could not be had; "" = no such thing. */
  fault = "";
  #counted = false;

  /**
   * @param space names the origin or the parent: what is learned holds there
   * @param host of it, for tickets
   */
  constructor(credential: Credential, space: string, host: string, hop: Hop) {
    const { schemes } = credential.settings;
    this.credential = credential;
    this.#space = space;
    this.#host = host;
    this.#isParent = hop === "parent";
    this.#schemes = hop === "origin by proxy" ? schemes.filter((scheme) => !isBound(scheme)) : schemes;
  }

  /** The request has been sent with it, or on a connection that was authenticated with it. */
  get used(): boolean {
    return this.#counted;
  }

  /** The parent has rejected us a short while ago. */
  get rests(): boolean {
    return this.#isParent && this.credential.rests(this.#space);
  }

  prepare(): Promise<unknown> | null {
    return this.credential.prepare(this.#space);
  }

  /**
   * The value of the field, for a request that is about to be sent; "" = it is sent without.
   *
   * @param connection that it is sent on
   * @param uri what stands in the request line
   */
  value(connection: object, method: string, uri: string): string {
    const { credential } = this;
    if (connection !== this.#connection) this.#moved(connection);
    const value = this.#value(method, uri);
    if ((value !== "" || credential.isAuthenticated(connection)) && !this.#counted) {
      this.#counted = true;
      credential.counters.used++;
    }
    return value;
  }

  /** The request goes to another hop, from which it may come back: handshakes begin anew then. */
  leave(): void {
    this.#moved(null);
  }

  /** A handshake that was under way on another connection is over. */
  #moved(connection: object | null): void {
    this.#connection = connection;
    this.#token = "";
    this.#begun = this.#touched = false;
    this.#tokens = 0;
    this.#context?.end();
    this.#context = null;
  }

  #value(method: string, uri: string): string {
    const { credential } = this;
    if (this.#token !== "") {
      const token = this.#token;
      this.#token = "";
      return token;
    }
    const scheme = credential.earlyScheme(this.#space);
    const value = scheme === "basic"
      ? credential.basic()
      : scheme === "bearer"
      ? credential.bearer()
      : scheme === "digest"
      ? this.#digest(method, uri)
      : null;
    this.#sent = value === null ? "" : scheme;
    this.#generation = credential.generation;
    return value ?? "";
  }

  #digest(method: string, uri: string): string | null {
    const { credential } = this;
    const connection = this.#connection;
    const session = this.#challenged ?? credential.digestSession(this.#space, connection);
    this.#session = session;
    if (session === null) return null;
    if (this.#challenged !== null && connection !== null) {
      credential.setConnectionSession(connection, session);
    }
    return credential.digest(session, method, uri);
  }

  /**
   * The request was challenged.
   *
   * @param challenges of the answer
   * @param persists its connection may be used again
   * @returns how it goes on; null = not at all: the answer is the client's
   */
  challenged(challenges: readonly Challenge[], persists: boolean): NextSending | null {
    const choice = strongest(this.#schemes, challenges);
    this.stale = choice?.digest?.stale === true;
    const next = choice === null ? null : this.#answer(choice, persists);
    if (next !== null) this.credential.counters.challenged++;
    else if (this.#counted) this.#reject();
    return next;
  }

  #reject(): void {
    if (this.rejected) return;
    const { credential } = this;
    this.rejected = true;
    credential.counters.rejected++;
    // That its nonces end too soon, or that we have no ticket, is not about who we are.
    if (this.#isParent && !this.stale && this.fault === "") credential.rest(this.#space);
  }

  /** Nothing comes of the sending that was being prepared. */
  gaveUp(): void {
    this.#reject();
  }

  #answer({ scheme, challenge, digest }: Choice, persists: boolean): NextSending | null {
    switch (scheme) {
      case "basic":
      case "bearer":
        return this.#answerSimple(scheme);
      case "digest":
        // The cast: a choice of that scheme has one.
        return this.#answerDigest(digest as DigestChallenge);
      case "ntlm":
        return this.#answerNtlm(challenge.token, persists);
      case "negotiate":
        return this.#answerNegotiate(challenge.token, persists);
    }
  }

  #answerSimple(scheme: "basic" | "bearer"): NextSending | null {
    if (this.#sent === scheme) return this.#refused({ scheme, digest: null });
    if (this.credential.secretText() === null || this.#answers > 0) return null;
    this.#answers++;
    this.credential.learn(this.#space, scheme);
    return AT_ONCE;
  }

  /** The secret was not right. Another one may be in its place by now. */
  #refused({ scheme, digest }: Pick<Choice, "scheme" | "digest">): NextSending | null {
    const { credential } = this;
    if (this.#secretRenewed || !credential.mayChange) return null;
    this.#secretRenewed = true;
    this.#begun = false;
    this.#tokens = 0;
    const used = this.#generation;
    const ready = credential.refresh().then(() => {
      if (credential.generation === used || credential.secretText() === null) return false;
      // What was known of who asks is gone with the old one.
      credential.learn(this.#space, scheme);
      if (digest !== null) this.#learn(digest);
      return true;
    });
    return { sameConnection: false, ready };
  }

  #answerDigest(challenge: DigestChallenge): NextSending | null {
    const { credential } = this;
    if (credential.secretText() === null) return null;
    this.#learn(challenge);
    credential.learn(this.#space, "digest");
    if (this.#answers === 0) {
      this.#answers++;
      return AT_ONCE;
    }
    if (challenge.stale && this.#staleAnswers === 0) {
      this.#staleAnswers++;
      return AT_ONCE;
    }
    return challenge.stale ? null : this.#refused({ scheme: "digest", digest: challenge });
  }

  /** Requests at a time may be told the same nonce. */
  #learn(challenge: DigestChallenge): void {
    const { credential } = this;
    const known = credential.digestSession(this.#space, null);
    const { nonce, realm } = challenge;
    const same = known?.challenge.nonce === nonce && known.challenge.realm === realm && !challenge.stale;
    this.#challenged = same ? known : new DigestSession(challenge);
    credential.setDigestSession(this.#space, this.#challenged);
  }

  #answerNtlm(token: string, persists: boolean): NextSending | null {
    const { credential } = this;
    const { settings: { user, domain }, digests, clock } = credential;
    const password = credential.secretText();
    if (password === null) return null;
    if (token === "") {
      if (this.#begun) return this.#refused({ scheme: "ntlm", digest: null });
      return this.#beginHandshake(`NTLM ${negotiateMessage()}`, "ntlm", persists);
    }
    const challenge = this.#begun && persists ? readChallengeMessage(token) : null;
    if (challenge === null || this.#tokens > 1) return null;
    this.#tokens++;
    this.#token = `NTLM ${authenticateMessage(digests, { user, domain, password }, challenge, clock.wall())}`;
    return ON_THIS;
  }

  /** @param first token of it; "" = it is being made */
  #beginHandshake(first: string, scheme: CredentialScheme, persists: boolean): NextSending | null {
    if (this.#handshakes >= MOST_HANDSHAKES) return null;
    // On a new connection it is asked for anew.
    if (!persists) return this.#handshakes++ === 0 ? AT_ONCE : null;
    this.#handshakes++;
    this.#begun = this.#touched = true;
    this.#tokens = 1;
    this.#sent = scheme;
    this.#generation = this.credential.generation;
    this.#token = first;
    return ON_THIS;
  }

  #answerNegotiate(token: string, persists: boolean): NextSending | null {
    const { tokens, settings } = this.credential;
    if (tokens === null) return null;
    if (token === "" && this.#begun) return null;
    if (token === "") {
      const begun = this.#beginHandshake("", "negotiate", persists);
      if (begun === null || !begun.sameConnection) return begun;
      this.#context = tokens.begin(settings.service === "" ? `HTTP@${this.#host}` : settings.service);
    } else if (this.#context === null || !persists || this.#tokens++ >= MOST_TOKENS) return null;
    return { sameConnection: true, ready: this.#step(this.#context as TokenContext, token) };
  }

  async #step(context: TokenContext, token: string): Promise<boolean> {
    const step = await context.step(token);
    if (context !== this.#context) return false;
    if (step.kind === "failed") {
      this.fault = step.words;
      return false;
    }
    this.#token = `Negotiate ${step.token}`;
    return true;
  }

  /**
   * An answer that is no challenge.
   *
   * @param info value of (Proxy-)Authentication-Info, null when there is none
   */
  accepted(info: string | null): void {
    const { credential } = this;
    const connection = this.#connection;
    if (this.#begun && connection !== null) credential.noteAuthenticated(connection);
    if (!this.#counted) return;
    if (this.#isParent) credential.accepted(this.#space);
    const session = this.#sent === "digest" ? this.#session : null;
    const nonce = session === null || info === null ? null : nextNonce(info);
    if (nonce === null || session === null) return;
    const next = session.renewed(nonce);
    if (connection !== null) credential.setConnectionSession(connection, next);
    if (credential.digestSession(this.#space, null) === session) {
      credential.setDigestSession(this.#space, next);
    }
  }

  /** A handshake has begun on this connection that has not come to an end: nobody else may use it. */
  get unfinished(): boolean {
    return this.#touched && !this.authenticated;
  }

  /** The connection is authenticated with the credential, as far as is known. */
  get authenticated(): boolean {
    return this.#connection !== null && this.credential.isAuthenticated(this.#connection);
  }

  /** The request is over. */
  end(): void {
    this.#context?.end();
    this.#context = null;
  }
}
