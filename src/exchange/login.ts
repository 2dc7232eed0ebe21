/**
 * What one exchange has to do with credentials of ours: which it is sent with, to the origin and to a parent proxy. Exchanges
 * without any have no such object.
 *
 * A credential belongs to where the configuration puts it and goes nowhere else: not with a request that has an
 * Authorization of its own, not over connections that others can read unless it says so, and not along with a retry to an
 * endpoint of another name.
 */

import { isLoopback } from "../bytes/ip_address.ts";
import { parseChallenges } from "../credentials/challenge.ts";
import type { Credential } from "../credentials/credential.ts";
import { type Hop, HopLogin, type NextSending } from "../credentials/hop_login.ts";
import { Field } from "../http/field.ts";
import { type FieldSection, NO_FIELDS } from "../http/field_section.ts";
import type { Head } from "../http/head.ts";
import { fieldSection } from "../http/own_fields.ts";
import type { UpstreamPeer } from "../http/upstream_stream.ts";
import type { Endpoint } from "../upstream/endpoint.ts";

/** The credentials of an upstream; null = none. */
export interface UpstreamCredentials {
  /** Towards what its endpoints are, or lead to. */
  readonly origin: Credential | null;
  /** Names the origin where endpoints lead to it without being it: host and port. "" = endpoints are it. */
  readonly authority: string;
  /** Towards endpoints that are proxies, by their names. */
  readonly parents: ReadonlyMap<string, Credential> | null;
}

/**
 * Challenges to a request that was sent with a credential, from all hops together. Each may be a failure to log in, for which
 * accounts are locked. A hop that has not been shown it yet, or finds its nonce too old, has failed nobody: each endpoint of
 * a large upstream may challenge a request so before the first one is asked again, which it is sent to in its turn.
 */
const MOST_REJECTIONS = 16;

export class Login {
  readonly #credentials: UpstreamCredentials;
  /** The request may be sent with it to the origin. */
  readonly #mayAsk: boolean;
  /** Name of the host that the credential of the origin was sent to; null = none yet, "" = one without a name. */
  #shownTo: string | null = null;
  #endpoint: Endpoint | null = null;
  /** At the endpoint that the request goes to now. */
  #origin: HopLogin | null = null;
  #parent: HopLogin | null = null;
  /**
   * One for each origin and parent that the request has gone to. It may come back to one: what it has been sent with there
   * counts, or two parents that reject us could have it sent to and fro for ever.
   */
  readonly #hops = new Map<string, HopLogin>();
  /** Sendings that answered a challenge. */
  resubmissions = 0;
  #rejections = 0;

  private constructor(credentials: UpstreamCredentials, mayAsk: boolean) {
    this.#credentials = credentials;
    this.#mayAsk = mayAsk;
  }

  /** @returns null = it has to do with none */
  static of(credentials: UpstreamCredentials | undefined, head: Head): Login | null {
    if (credentials === undefined) return null;
    const mayAsk = credentials.origin !== null && !head.has(Field.authorization);
    return mayAsk || credentials.parents !== null ? new Login(credentials, mayAsk) : null;
  }

  /** The credentials that it was sent with, for the log; "" = none. */
  get names(): string {
    const hops = [...this.#hops.values()].filter(({ used }) => used);
    return [...new Set(hops.map(({ credential }) => credential.name))].join(",");
  }

  /** Those that the endpoint it goes to now is sent, at once or when it asks; "" = none. */
  get offered(): string {
    const hops = [this.#origin, this.#parent].filter((hop) => hop !== null);
    return [...new Set(hops.map(({ credential }) => credential.name))].join(",");
  }

  /**
   * Sees to secrets before a stream is asked for.
   *
   * @returns null = they are here; else resolves when the request may ask
   */
  prepare(endpoints: readonly Endpoint[]): Promise<unknown> | null {
    const { origin } = this.#credentials;
    const pending = this.#parents(endpoints).map(([credential, space]) => credential.prepare(space));
    if (this.#mayAsk && origin !== null) pending.push(origin.prepare(""));
    const looks = pending.filter((look) => look !== null);
    return looks.length === 0 ? null : Promise.all(looks);
  }

  /** Those among them that have rejected us a short while ago. */
  rejecting(endpoints: readonly Endpoint[]): readonly Endpoint[] {
    return this.#parents(endpoints).flatMap(([credential, space, endpoint]) =>
      credential.rests(space) ? [endpoint] : []
    );
  }

  #parents(endpoints: readonly Endpoint[]): (readonly [Credential, string, Endpoint])[] {
    const { parents } = this.#credentials;
    if (parents === null) return [];
    return endpoints.flatMap((endpoint) => {
      const credential = parents.get(endpoint.name);
      return credential === undefined ? [] : [[credential, parentSpace(endpoint), endpoint] as const];
    });
  }

  /**
   * The request goes to `endpoint` on this connection.
   *
   * @param own the client has authenticated on the connection, or does so
   * @returns why it cannot be sent, in words without a secret; "" = it can
   */
  goesTo(peer: UpstreamPeer, endpoint: Endpoint, own: boolean): string {
    if (endpoint !== this.#endpoint) this.#changeTo(endpoint);
    const origin = !own && this.#maySend(peer, endpoint) ? this.#origin : null;
    if (origin === null) this.#origin = null;
    const parent = this.#parent;
    if (parent !== null && !isPrivate(peer, endpoint, parent.credential)) {
      return `credential ${parent.credential.name} is not sent in clear text: its entry would have to say cleartext: true`;
    }
    for (const hop of [origin, parent]) {
      if (hop === null) continue;
      const { name, fault } = hop.credential;
      if (fault !== "") return `credential ${name}: ${fault}`;
      if (hop.rests) return `the parent proxy rejected credential ${name} a short while ago`;
    }
    return "";
  }

  #changeTo(endpoint: Endpoint): void {
    const { origin, parents, authority } = this.#credentials;
    this.#origin?.leave();
    this.#parent?.leave();
    this.#endpoint = endpoint;
    const parent = parents?.get(endpoint.name);
    const { address } = endpoint.settings.key;
    const host = address.kind === "tcp" ? address.host : "localhost";
    this.#parent = parent === undefined ? null : this.#hop(parent, parentSpace(endpoint), host, "parent");
    const asked = authority === "" ? endpoint.hostName ?? endpoint.hostField : authority;
    this.#origin = !this.#mayAsk || origin === null ? null : this.#hop(
      origin,
      authority === "" ? `origin ${endpoint.name}` : `origin ${authority}`,
      asked.replace(/:\d*$/, ""),
      // A parent's connections are not for one origin each.
      endpoint.proxyFields === null ? "origin" : "origin by proxy",
    );
  }

  #hop(credential: Credential, space: string, host: string, kind: Hop): HopLogin {
    const key = `${kind}: ${space}`;
    let hop = this.#hops.get(key);
    if (hop === undefined) this.#hops.set(key, hop = new HopLogin(credential, space, host, kind));
    return hop;
  }

  #maySend(peer: UpstreamPeer, endpoint: Endpoint): boolean {
    const { origin } = this.#credentials;
    if (origin === null || !isPrivate(peer, endpoint, origin)) return false;
    if (goesOn(endpoint) && !origin.settings.cleartext) return false;
    if (!this.#isShownAt(endpoint)) return false;
    this.#shownTo = endpoint.hostName ?? "";
    return true;
  }

  /** The request is sent with all the credentials that connections to the endpoint are authenticated with. */
  covers(endpoint: Endpoint, own: boolean): boolean {
    const { origin, parents } = this.#credentials;
    const asked = this.#mayAsk && !own && this.#isShownAt(endpoint) ? origin?.connectionKey : undefined;
    const parent = parents?.get(endpoint.name)?.connectionKey;
    return endpoint.settings.key.credentials.split(",").every((key) => key === asked || key === parent);
  }

  /** What the origin's credential was sent to goes by the same name. */
  #isShownAt({ hostName }: Endpoint): boolean {
    return this.#credentials.authority !== "" || this.#shownTo === null || this.#shownTo === (hostName ?? "");
  }

  /**
   * The fields for the next sending.
   *
   * @param target path and query, or what a tunnel is to lead to
   * @param line what stands in the request line
   */
  fields(peer: UpstreamPeer, method: string, target: string, line: string): FieldSection {
    const own = this.#origin?.value(peer, method, target) ?? "";
    const proxy = this.#parent?.value(peer, method, line) ?? "";
    if (own === "" && proxy === "") return NO_FIELDS;
    return fieldSection(
      ...(own === "" ? [] : [["Authorization", own] as const]),
      ...(proxy === "" ? [] : [["Proxy-Authorization", proxy] as const]),
    );
  }

  /**
   * A response has come.
   *
   * @param persists its connection may be used again
   * @param mayRepeat the request can be sent again
   * @returns how the request goes on; null = this is the answer
   */
  answered(head: Head, persists: boolean, mayRepeat: boolean): NextSending | null {
    const { status } = head;
    const origin = this.#origin;
    const parent = this.#parent;
    if (status === 407 && parent !== null) {
      return this.#challenged(parent, head, Field.proxyAuthenticate, persists, mayRepeat);
    }
    parent?.accepted(head.joined(Field.proxyAuthenticationInfo));
    if (status === 401 && origin !== null) {
      return this.#challenged(origin, head, Field.wwwAuthenticate, persists, mayRepeat);
    }
    origin?.accepted(head.joined(Field.authenticationInfo));
    return null;
  }

  #challenged(
    hop: HopLogin,
    head: Head,
    field: number,
    persists: boolean,
    mayRepeat: boolean,
  ): NextSending | null {
    if (!mayRepeat || this.#rejections >= MOST_REJECTIONS) return null;
    const shown = hop.used;
    const values: string[] = [];
    for (let index = 0; index < head.count; index++) {
      if (head.id(index) === field) values.push(head.value(index));
    }
    const next = hop.challenged(parseChallenges(values), persists);
    if (shown && !hop.stale) this.#rejections++;
    return next;
  }

  /** The sending that was being prepared cannot be made: the challenge is the answer. */
  gaveUp(head: Head): void {
    (head.status === 407 ? this.#parent : this.#origin)?.gaveUp();
  }

  /**
   * Nobody else may use the connection: a handshake of ours is under way on it; or it is authenticated with a credential that
   * another configuration has replaced, of whose requests this is one of the last.
   */
  get keepsConnection(): boolean {
    const keys = this.#endpoint?.settings.key.credentials.split(",") ?? [];
    return [this.#origin, this.#parent].some((hop) =>
      hop !== null && (hop.unfinished || (hop.authenticated && !keys.includes(hop.credential.connectionKey)))
    );
  }

  /** Why a 407 came that is not answered any more, or "" when none of our credentials was in use. */
  refusalWords(): string {
    const parent = this.#parent;
    if (parent === null) return "";
    const { name } = parent.credential;
    if (parent.fault !== "") return `credential ${name}: ${parent.fault}`;
    return parent.used
      ? `the parent proxy rejected credential ${name}`
      : `the parent proxy asks for nothing that credential ${name} can answer`;
  }

  /** Why the origin's challenge was not answered; "" = it was, or there is nothing to say. */
  get fault(): string {
    const origin = this.#origin;
    return origin === null || origin.fault === ""
      ? ""
      : `credential ${origin.credential.name}: ${origin.fault}`;
  }

  /** The exchange is over. */
  end(): void {
    for (const hop of this.#hops.values()) hop.end();
  }
}

function parentSpace({ name }: Endpoint): string {
  return `parent ${name}`;
}

/** Nobody can read on the way to the endpoint what is sent, or the credential does not mind. */
function isPrivate({ remoteAddress }: UpstreamPeer, { settings }: Endpoint, credential: Credential): boolean {
  return credential.settings.cleartext || settings.key.tls !== null || remoteAddress === "" ||
    isLoopback(remoteAddress);
}

/** The request goes on from the endpoint, in clear text, whatever leads there. */
function goesOn({ settings: { key }, proxyFields }: Endpoint): boolean {
  return proxyFields !== null || key.proxyChain.length > 0 || key.socks !== undefined;
}
