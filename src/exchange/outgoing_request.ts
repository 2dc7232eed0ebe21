/** The request of an exchange as it goes to endpoints: made once, unless it differs from endpoint to endpoint. */

import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { ForwardedRequest } from "../http/forwarded_request.ts";
import type { Head } from "../http/head.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import { forwardedRequest, type ForwardSettings, type HostHeader, hostToSend } from "./forward_request.ts";

export class OutgoingRequest {
  readonly #client: DownstreamStream;
  readonly #head: Head;
  readonly #settings: ForwardSettings;
  readonly #hostHeader: HostHeader;
  readonly #target: string;
  readonly #clientHost: string;
  /** Protocols to switch to, "" when no switch is asked for. */
  readonly upgrade: string;
  #made: ForwardedRequest | null = null;

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
    this.#head = head;
    this.#settings = settings;
    this.#hostHeader = hostHeader;
    this.#target = target;
    this.#clientHost = clientHost;
    this.upgrade = client.askedUpgrade(head, upgrades);
  }

  to(endpoint: Endpoint): ForwardedRequest {
    if (this.#made !== null) return this.#made;
    const hostHeader = this.#hostHeader;
    const head = this.#head;
    const client = this.#client;
    const target = this.#target;
    const clientHost = this.#clientHost;
    const host = hostToSend(hostHeader, head, target, clientHost, endpoint.hostField);
    const request = forwardedRequest(
      head,
      client.requestBody,
      target,
      client.peer,
      this.#settings,
      host,
      clientHost,
      this.upgrade,
    );
    // The endpoint's own name differs from attempt to attempt.
    if (hostHeader.kind !== "endpoint" && clientHost !== "") this.#made = request;
    return request;
  }
}
