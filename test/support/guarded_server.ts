/**
 * An origin or a parent proxy in memory that lets nobody in without credentials, to WebSockets neither: it checks Basic, Bearer, Digest (nonces and
 * their counts) and NTLM (by connection), and notes as whom each request was answered.
 */

import { digests } from "../../runtime/shared/digests.ts";
import { type Challenge, parseChallenges } from "../../src/credentials/challenge.ts";
import { type DigestChallenge, digestChallenge } from "../../src/credentials/digest_auth.ts";
import { hmacMd5, passwordKey, utf16 } from "../../src/credentials/ntlm/ntlm_proof.ts";
import { websocketAccept } from "../../src/http1/upgrade.ts";
import type { Peer } from "./memory_lab.ts";
import type { PlaneBackend } from "./plane_lab.ts";

export type GuardScheme = "basic" | "bearer" | "digest" | "ntlm" | "negotiate";

/** What a request came with, and what it got. */
export interface Asked {
  readonly method: string;
  readonly target: string;
  /** Value of the field with credentials, "" without one. */
  readonly field: string;
  /** Who was let in; "" = nobody. */
  readonly user: string;
  readonly body: string;
  readonly connection: number;
}

const NTLM_CHALLENGE = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
const TARGET_INFO = utf16("\u0002\u0006LAB\u0000\u0000");

export class GuardedServer {
  readonly asked: Asked[] = [];
  readonly #users: Map<string, string>;
  /** Weakest last. */
  schemes: readonly GuardScheme[];
  readonly isProxy: boolean;
  /** Of Digest. */
  algorithm = "SHA-256";
  /** Nonces that are good, with how often each was used: a count that is not higher than all before is refused. */
  readonly #valid = new Map<string, number>();
  /** The next nonce is told in each answer to a request with Digest. */
  rotates = false;
  /** Whoever asks is told the newest nonce that is good, if there is one, instead of one of its own. */
  sharesNonces = false;
  /** So many requests with Digest find that the nonce is another one by now. */
  renewsBefore = 0;
  /** Tokens that a Negotiate handshake takes. */
  tokens = 1;
  /** Schemes that are not known are passed over, as if there were no field. */
  ignores = false;
  /** Challenges end their connection. */
  closes = false;
  /** Bytes of the body of a challenge. */
  padding = 4;
  /** An upstream proxy answers CONNECT with this, else with a tunnel. */
  refuses = 0;
  readonly #sessions = new Map<Peer, { user: string; challenged: boolean }>();
  readonly #numbers = new Map<Peer, number>();
  #nonces = 0;

  constructor(
    backend: PlaneBackend,
    users: Readonly<Record<string, string>>,
    schemes: readonly GuardScheme[],
    isProxy = false,
  ) {
    this.#users = new Map(Object.entries(users));
    this.schemes = schemes;
    this.isProxy = isProxy;
    backend.script = (peer, head) => this.#request(peer, head);
  }

  setPassword(user: string, password: string): void {
    this.#users.set(user, password);
  }

  #request(peer: Peer, head: string): void {
    const [line = ""] = head.split("\r\n");
    const [method = "", target = ""] = line.split(" ");
    const name = this.isProxy ? "proxy-authorization" : "authorization";
    const fields = head.split("\r\n").slice(1).map((each) => /^([^:]*): ?(.*)$/.exec(each) ?? []);
    const valueOf = (what: string) => fields.find(([, key]) => key?.toLowerCase() === what)?.[2] ?? "";
    const field = valueOf(name);
    const key = valueOf("sec-websocket-key");
    const length = Number(valueOf("content-length"));
    const body = peer.received.slice(0, length);
    peer.received = peer.received.slice(length);
    if (!this.#numbers.has(peer)) this.#numbers.set(peer, this.#numbers.size + 1);
    const verdict = this.#check(peer, field, method, target);
    const asked = { method, target, field, body, connection: this.#numbers.get(peer) ?? 0 };
    this.asked.push({ ...asked, user: verdict.user });
    if (verdict.user === "") this.#challenge(peer, verdict.challenge);
    else if (method === "CONNECT" && this.refuses === 0) {
      peer.say("HTTP/1.1 200 Connection established\r\n\r\n");
    } else if (key !== "") {
      peer.say(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          `Sec-WebSocket-Accept: ${websocketAccept(key)}\r\n\r\n`,
      );
    } else {
      const text = `${verdict.user} ${target} ${body}`;
      const status = this.refuses === 0 ? "200 OK" : `${this.refuses} No`;
      peer.say(`HTTP/1.1 ${status}\r\n${verdict.info}Content-Length: ${text.length}\r\n\r\n${text}`);
    }
  }

  #challenge(peer: Peer, extra: string): void {
    const status = this.isProxy ? "407 Proxy Authentication Required" : "401 Unauthorized";
    const name = this.isProxy ? "Proxy-Authenticate" : "WWW-Authenticate";
    const offers = extra !== "" ? [extra] : this.schemes.map((scheme) => this.#offer(scheme, false));
    const lines = offers.map((offer) => `${name}: ${offer}\r\n`).join("");
    const close = this.closes ? "Connection: close\r\n" : "";
    peer.say(
      `HTTP/1.1 ${status}\r\n${lines}${close}Content-Length: ${this.padding}\r\n\r\n${
        "x".repeat(this.padding)
      }`,
    );
    if (this.closes) peer.socket?.close();
  }

  #offer(scheme: GuardScheme, stale: boolean): string {
    if (scheme === "ntlm") return "NTLM";
    if (scheme === "negotiate") return "Negotiate";
    if (scheme === "basic") return 'Basic realm="lab"';
    if (scheme === "bearer") return 'Bearer realm="lab"';
    const shared = this.sharesNonces && !stale ? [...this.#valid.keys()].at(-1) : undefined;
    return `Digest realm="lab", nonce="${
      shared ?? this.#newNonce()
    }", qop="auth", algorithm=${this.algorithm}, opaque="o"${stale ? ", stale=true" : ""}`;
  }

  /** Connections that were authenticated are not any more. */
  forgetSessions(): void {
    this.#sessions.clear();
  }

  #newNonce(): string {
    const nonce = `n${++this.#nonces}`;
    this.#valid.set(nonce, 0);
    return nonce;
  }

  /** All nonces so far are stale. */
  renew(): void {
    this.#valid.clear();
  }

  #check(
    peer: Peer,
    field: string,
    method: string,
    target: string,
  ): { readonly user: string; readonly challenge: string; readonly info: string } {
    const nobody = { user: "", challenge: "", info: "" };
    const somebody = (user: string, info = "") => ({ user, challenge: "", info });
    const session = this.#sessions.get(peer);
    const known = this.schemes.some((scheme) => field.toLowerCase().startsWith(scheme));
    if (field === "" || (this.ignores && !known)) {
      return session !== undefined && session.user !== "" ? somebody(session.user) : nobody;
    }
    const [parsed] = parseChallenges([field]);
    if (parsed === undefined || !this.schemes.some((scheme) => scheme === parsed.scheme)) return nobody;
    if (parsed.scheme === "basic") {
      const [user = "", password = ""] = atob(parsed.token).split(":");
      return this.#users.get(user) === password ? somebody(user) : nobody;
    }
    if (parsed.scheme === "bearer") {
      const user = [...this.#users].find(([, token]) => token === parsed.token)?.[0];
      return user === undefined ? nobody : somebody(user);
    }
    if (parsed.scheme === "negotiate") return this.#checkToken(peer, atob(parsed.token));
    return parsed.scheme === "digest"
      ? this.#checkDigest(parsed, method, target)
      : this.#checkNtlm(peer, parsed.token);
  }

  #checkDigest({ params }: Challenge, method: string, target: string) {
    const value = (name: string) => params.get(name) ?? "";
    const user = value("username");
    const password = this.#users.get(user);
    if (password === undefined || value("uri") !== target) return { user: "", challenge: "", info: "" };
    const [offered] = parseChallenges([this.#offer("digest", false)]);
    const { hash, session } = digestChallenge(offered as Challenge) as DigestChallenge;
    const h = (text: string) =>
      Array.from(
        digests.digest(hash, new TextEncoder().encode(text)),
        (byte) => byte.toString(16).padStart(2, "0"),
      ).join("");
    const secret = h(`${user}:lab:${password}`);
    const key = session ? h(`${secret}:${value("nonce")}:${value("cnonce")}`) : secret;
    const proof = h(
      `${key}:${value("nonce")}:${value("nc")}:${value("cnonce")}:auth:${h(`${method}:${target}`)}`,
    );
    if (proof !== value("response")) return { user: "", challenge: "", info: "" };
    const count = parseInt(value("nc"), 16);
    if (count <= (this.#valid.get(value("nonce")) ?? Infinity) || this.renewsBefore > 0) {
      if (this.renewsBefore > 0) this.renewsBefore--;
      this.#valid.delete(value("nonce"));
      return { user: "", challenge: this.#offer("digest", true), info: "" };
    }
    this.#valid.set(value("nonce"), count);
    if (!this.rotates) return { user, challenge: "", info: "" };
    this.renew();
    const next = this.#newNonce();
    const name = this.isProxy ? "Proxy-Authentication-Info" : "Authentication-Info";
    return { user, challenge: "", info: `${name}: nextnonce="${next}"\r\n` };
  }

  /** `1 svc`, `2 svc` and so on. */
  #checkToken(peer: Peer, token: string) {
    const [number, user = ""] = token.split(" ");
    const nobody = { user: "", challenge: "", info: "" };
    const before = this.#sessions.get(peer);
    this.#sessions.delete(peer);
    const fits = this.#users.has(user) &&
      (number === "1" || (before?.challenged === true && before.user === ""));
    if (!fits) return nobody;
    const done = Number(number) >= this.tokens;
    this.#sessions.set(peer, { user: done ? user : "", challenged: !done });
    return done ? { ...nobody, user } : { ...nobody, challenge: `Negotiate ${btoa(`next ${number}`)}` };
  }

  #checkNtlm(peer: Peer, token: string) {
    const bytes = Uint8Array.from(atob(token), (character) => character.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const nobody = { user: "", challenge: "", info: "" };
    if (view.getUint32(8, true) === 1) {
      this.#sessions.set(peer, { user: "", challenged: true });
      return { ...nobody, challenge: `NTLM ${ntlmChallenge()}` };
    }
    const begun = this.#sessions.get(peer)?.challenged === true;
    this.#sessions.delete(peer);
    const part = (at: number) => {
      const from = view.getUint32(at + 4, true);
      return bytes.subarray(from, from + view.getUint16(at, true));
    };
    const text = (at: number) => String.fromCharCode(...new Uint16Array(part(at).slice().buffer));
    const user = text(36);
    const proof = part(20);
    const key = passwordKey(digests, user, text(28), this.#users.get(user) ?? "");
    const blob = proof.subarray(16);
    const message = new Uint8Array(8 + blob.length);
    message.set(NTLM_CHALLENGE);
    message.set(blob, 8);
    const wanted = hmacMd5(digests, key, message);
    if (!begun || !this.#users.has(user) || wanted.some((byte, at) => proof[at] !== byte)) return nobody;
    this.#sessions.set(peer, { user, challenged: false });
    return { user, challenge: "", info: "" };
  }
}

/** The second message of a handshake, as a token. */
export function ntlmChallenge(): string {
  const bytes = new Uint8Array(48 + TARGET_INFO.length);
  bytes.set([0x4e, 0x54, 0x4c, 0x4d, 0x53, 0x53, 0x50, 0, 2]);
  const view = new DataView(bytes.buffer);
  view.setUint32(20, 0x00088201, true);
  bytes.set(NTLM_CHALLENGE, 24);
  view.setUint16(40, TARGET_INFO.length, true);
  view.setUint32(44, 48, true);
  bytes.set(TARGET_INFO, 48);
  return btoa(String.fromCharCode(...bytes));
}
