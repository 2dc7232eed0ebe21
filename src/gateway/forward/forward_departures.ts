/** Requests of a forward proxy that are allowed, from here on their way: to their destination, or to a parent. */

import type { Address } from "../../../runtime/contract/contract.ts";
import { hashText } from "../../bytes/hash.ts";
import type { OriginCredentials } from "../../credentials/origin_credentials.ts";
import { ConnectByParent } from "../../exchange/connect_by_parent.ts";
import { ConnectExchange } from "../../exchange/connect_exchange.ts";
import { Exchange } from "../../exchange/exchange.ts";
import type { ConnectCount } from "../../exchange/open_tunnel.ts";
import type { ExchangeSettings } from "../../exchange/exchange_settings.ts";
import type { ReasonCode } from "../../exchange/reason.ts";
import type { RetryPolicy } from "../../exchange/retry.ts";
import { type ForwardTarget, TARGET_REFUSALS } from "../../forward/forward_target.ts";
import type { DownstreamStream } from "../../http/downstream_stream.ts";
import type { Head } from "../../http/head.ts";
import type { DestinationOwner } from "../../upstream/destinations.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { ForwardRule } from "./forward_rule.ts";
import type { DecidedRule, ForwardSnapshot, ForwardWay, ParentBalance } from "./forward_snapshot.ts";

/** A request that may go to its destination. */
export interface AllowedRequest {
  readonly client: DownstreamStream;
  readonly head: Head;
  readonly target: ForwardTarget;
  readonly forward: ForwardSnapshot;
  /** "" = not known. */
  readonly user: string;
  /** See `Permission.decided`. */
  readonly decided: boolean;
}

/**
 * Answers with a failure.
 *
 * @param rule what it counts for
 * @param detail for the log
 * @param words for the reason phrase; default: the detail
 * @param status default: that of the reason
 */
type Refuse = (
  request: AllowedRequest,
  rule: ForwardRule,
  reason: ReasonCode,
  detail: string,
  words?: string,
  status?: number,
) => void;

export class ForwardDepartures implements ConnectCount {
  readonly #refuse: Refuse;
  /** CONNECT tunnels, open and being opened; those of configurations before count too. */
  tunnels = 0;

  constructor(refuse: Refuse) {
    this.#refuse = refuse;
  }

  /** It goes as a rule says. May end inside the call. */
  begin(request: AllowedRequest, { action, rule }: DecidedRule): void {
    const { target: { host, port }, forward } = request;
    switch (action.kind) {
      case "deny":
        this.#refuse(
          request,
          rule,
          "http_request_denied",
          `${host}:${port}: ${action.reason}`,
          action.reason,
        );
        return;
      case "direct": {
        const way = action.way ?? forward.held(host, port);
        if (way !== null) this.#goBy(request, way, rule);
        else if (request.head.method === "CONNECT") this.#connect(request, rule);
        else this.#send(request, rule);
        return;
      }
      case "parents": {
        const words = "only its address could allow this host, and a parent proxy looks it up";
        if (request.target.scheme === "https") {
          const { words: shown, detail, status } = TARGET_REFUSALS.https;
          this.#refuse(request, rule, "http_request_error", detail, shown, status);
        } else if (request.decided) this.#goBy(request, action.way, rule);
        else this.#refuse(request, rule, "http_request_denied", `${host}:${port}: ${words}`, words);
        return;
      }
      default:
        action satisfies never;
    }
  }

  #connect({ client, head, target, forward, user }: AllowedRequest, rule: ForwardRule): void {
    const { exchange, connect } = forward;
    const tunnel = new ConnectExchange(exchange, connect, client, head, forward.rule.destinations, rule);
    tunnel.user = user;
    if (!this.#isRoom(forward)) {
      tunnel.fail("too_many_tunnels", "", "");
      return;
    }
    this.#count(rule);
    tunnel.begin(addressOf(target), this);
  }

  #isRoom({ maxTunnels }: ForwardSnapshot): boolean {
    return this.tunnels < maxTunnels;
  }

  #count(rule: ForwardRule): void {
    this.tunnels++;
    rule.tunnelsBegun++;
  }

  /** ConnectCount. */
  connectOver(): void {
    this.tunnels--;
  }

  #goBy(request: AllowedRequest, way: ForwardWay, rule: ForwardRule): void {
    const { client, head, target, forward, user } = request;
    const isTunnel = head.method === "CONNECT";
    if (!isTunnel && isTooLarge(request)) {
      this.#refuse(request, rule, "request_too_large", "");
      return;
    }
    const settings = way.settings(target, isTunnel);
    if (settings === null) {
      this.#refuse(request, rule, "resource_exhausted", "too many destinations at a time");
      return;
    }
    const balanceKey = balanceKeyOf(way.balance, request);
    if (!isTunnel) {
      exchange(request, settings, way.retry, rule, balanceKey);
      return;
    }
    const { authority } = target;
    const tunnel = new ConnectByParent(forward.exchange, settings, client, head, authority, rule, balanceKey);
    tunnel.user = user;
    if (!this.#isRoom(forward)) {
      tunnel.fail("too_many_tunnels", "");
      return;
    }
    this.#count(rule);
    tunnel.begin(this);
  }

  #send(request: AllowedRequest, rule: ForwardRule): void {
    const { target, forward: { destinations, settings, retry, exchange: { turn }, credentials } } = request;
    if (isTooLarge(request)) {
      this.#refuse(request, rule, "request_too_large", "");
      return;
    }
    const login = credentials === null ? "" : credentials.connectionKeyOf(target.host, target.port);
    const source = destinations.known(target.destination, login, turn.now) ?? newDestination(request, login);
    if (source === null) this.#refuse(request, rule, "resource_exhausted", "too many destinations at a time");
    else exchange(request, settings(source), retry, rule, null);
  }
}

/** @returns null when there are too many. @param credentials see `DestinationOwner` */
function newDestination({ target, forward }: AllowedRequest, credentials: string): Upstream | null {
  const { destinations, originTls } = forward;
  const key = {
    scheme: target.scheme ?? "http",
    address: addressOf(target),
    tls: target.scheme === "https" ? originTls?.(target.host) ?? null : null,
    proxyChain: [],
    credentials,
  };
  const owner = destinationOwner(target, credentials);
  return destinations.make(owner, [{ name: owner.name, key, hostField: target.authority, weight: 1 }]);
}

function exchange(
  { client, head, target, forward, user }: AllowedRequest,
  settings: ExchangeSettings,
  retry: RetryPolicy,
  rule: ForwardRule,
  balanceKey: number | null,
): void {
  const { credentials } = forward;
  const request = new Exchange(
    forward.exchange,
    credentials === null ? settings : withOrigin(settings, target, credentials),
    retry,
    client,
    head,
    target.target,
    target.authority,
    rule,
  );
  request.user = user;
  request.balanceKey = balanceKey;
  request.begin();
}

/** With the credential that is for the origin, if there is one. */
function withOrigin(
  settings: ExchangeSettings,
  { host, port, authority }: ForwardTarget,
  credentials: OriginCredentials,
): ExchangeSettings {
  const origin = credentials.of(host, port);
  if (origin === null) return settings;
  return { ...settings, credentials: { origin, authority, parents: settings.credentials?.parents ?? null } };
}

/** @param credentials see `DestinationOwner` */
export function destinationOwner(target: ForwardTarget, credentials: string): DestinationOwner {
  return { name: target.destination, host: target.host, port: target.port, credentials };
}

function isTooLarge({ client, forward: { exchange: { maxBodyBytes } } }: AllowedRequest): boolean {
  return maxBodyBytes > 0 && client.requestBody > maxBodyBytes;
}

function addressOf({ host, port }: ForwardTarget): Address {
  return { kind: "tcp", host, port };
}

function balanceKeyOf(balance: ParentBalance, { client, target, user }: AllowedRequest): number | null {
  switch (balance) {
    case "source_hash":
      return hashText(client.peer.remoteAddress);
    case "user_hash":
      return hashText(user);
    case "host_hash":
      return hashText(target.host);
    default:
      return null;
  }
}
