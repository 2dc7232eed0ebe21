/**
 * The request of an exchange as it goes to endpoints, with its fields: one object, because every request has one. Made once,
 * unless it differs from endpoint to endpoint.
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
  readonly #settings: ForwardSettings;
  readonly #hostHeader: HostHeader;
  readonly #clientHost: string;
  readonly head: Head;
  readonly target: string;
  readonly body: BodyLength;
  readonly upgrade: string;
  // Of the endpoint that was told last.
  #made = false;
  authority: string | null = null;
  dropMask = 0;
  added: FieldSection;
  acceptsTrailers = false;

  /**
   * @param target path and query, byte-exact
   * @param clientHost host and port the client asked for, "" when it named none
   * @param upgrades tokens of Upgrade that are let through, lower case
   */
  constructor(
    client: DownstreamStream,
    head: Head,
    settings: ForwardSettings,
    hostHeader: HostHeader,
    target: string,
    clientHost: string,
    upgrades: readonly string[],
  ) {
    this.#client = client;
    this.#settings = settings;
    this.#hostHeader = hostHeader;
    this.#clientHost = clientHost;
    this.head = head;
    this.target = target;
    this.body = client.requestBody;
    this.upgrade = client.askedUpgrade(head, upgrades);
    this.added = NO_FIELDS;
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

  /** As it goes to `endpoint`. Lent until the next call. */
  to(endpoint: Endpoint): ForwardedRequest {
    if (this.#made) return this;
    const { head } = this;
    const { peer } = this.#client;
    const hostHeader = this.#hostHeader;
    const clientHost = this.#clientHost;
    const host = hostToSend(hostHeader, head, this.target, clientHost, endpoint.hostField);
    this.authority = host;
    this.dropMask = host === null
      ? dropMaskOf(peer, this.#settings)
      : dropMaskOf(peer, this.#settings) | HOST_MASK;
    this.added = forwardedFrom(head, peer, this.#settings, clientHost);
    if (isRare(head)) this.#addRare();
    // The endpoint's own name differs from attempt to attempt.
    this.#made = hostHeader.kind !== "endpoint" && clientHost !== "";
    return this;
  }

  #addRare(): void {
    const { head } = this;
    this.acceptsTrailers = acceptsTrailers(head);
    const rare = rareFields(head, this.body);
    if (rare.length > 0) this.added = joinedSections(this.added, fieldSection(...rare));
    if (countsHops(head)) this.dropMask |= MAX_FORWARDS_MASK;
  }
}
