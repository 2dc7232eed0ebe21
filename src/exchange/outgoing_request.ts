/**
 * The request of an exchange as it goes to endpoints, with its fields: one object, because every request has one.
 */

import type { BodyLength } from "../http/body_length.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import { type FieldSection, NO_FIELDS } from "../http/field_section.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import type { ForwardedRequest } from "../http/forwarded_request.ts";
import type { Head } from "../http/head.ts";
import { fieldSection, joinedSections } from "../http/own_fields.ts";
import { acceptsTrailers } from "../http/trailers.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import { LOGIN_MASK, namedLogin, passesLogin } from "./proxy_login.ts";
import {
  countsHops,
  dropMaskOf,
  forwardedFrom,
  type ForwardSettings,
  HOST_MASK,
  type HostHeader,
  hostToSend,
  isRare,
  MAX_FORWARDS_MASK,
  rareFields,
} from "./forward_request.ts";

export class OutgoingRequest implements ForwardedRequest, ForwardedFields {
  readonly #client: DownstreamStream;
  readonly #clientHost: string;
  /** Path and query. */
  readonly ownTarget: string;
  readonly head: Head;
  target: string;
  readonly upgrade: string;
  // As it goes to the endpoint that was told last.
  authority: string | null = null;
  dropMask = 0;
  added: FieldSection = NO_FIELDS;

  /**
   * @param target path and query, byte-exact
   * @param clientHost host and port the client asked for, "" when it named none
   * @param upgrades tokens of Upgrade that are let through, lower case
   */
  constructor(
    client: DownstreamStream,
    head: Head,
    target: string,
    clientHost: string,
    upgrades: readonly string[],
  ) {
    this.#client = client;
    this.#clientHost = clientHost;
    this.head = head;
    this.ownTarget = this.target = target;
    this.upgrade = client.askedUpgrade(head, upgrades);
  }

  get body(): BodyLength {
    return this.#client.requestBody;
  }

  get acceptsTrailers(): boolean {
    return isRare(this.head) && acceptsTrailers(this.head);
  }

  get from(): FieldSection {
    return this.head.section;
  }

  get dropNames(): ReadonlySet<string> | null {
    return this.head.section.hopNames;
  }

  get fields(): ForwardedFields {
    return this;
  }

  /** As it goes to `endpoint`. Lent until the next call. @param user of the proxy that we are; "" = not known */
  to(endpoint: Endpoint, hostHeader: HostHeader, settings: ForwardSettings, user = ""): this {
    const { proxyFields } = endpoint;
    const { head } = this;
    const { peer } = this.#client;
    const clientHost = this.#clientHost;
    // The last proxy makes what an origin gets of it; the field in front of it is for that origin in any case.
    this.target = proxyFields === null ? this.ownTarget : head.target;
    const host = proxyFields === null
      ? hostToSend(hostHeader, head, this.target, clientHost, endpoint.hostField)
      : clientHost;
    const mask = dropMaskOf(peer, settings);
    this.authority = host;
    this.dropMask = host === null ? mask : mask | HOST_MASK;
    this.added = forwardedFrom(head, peer, settings, clientHost);
    if (isRare(head)) this.#addRare();
    if (proxyFields !== null) this.#addLogin(endpoint, proxyFields, user);
    return this;
  }

  #addLogin(endpoint: Endpoint, proxyFields: FieldSection, user: string): void {
    if (passesLogin(endpoint)) this.dropMask &= ~LOGIN_MASK;
    else this.added = joinedSections(this.added, namedLogin(endpoint, user) ?? proxyFields);
  }

  #addRare(): void {
    const { head } = this;
    const rare = rareFields(head, this.body);
    if (rare.length > 0) this.added = joinedSections(this.added, fieldSection(...rare));
    if (countsHops(head)) this.dropMask |= MAX_FORWARDS_MASK;
  }
}
