/** Begins the tunnel that a request has asked for. */

import type { ExchangeContext } from "./exchange_context.ts";
import { Tunnel, type TunnelOwner, type TunnelParts } from "./tunnel.ts";

/** The client has been told that it is there. */
export function openTunnel(context: ExchangeContext, parts: TunnelParts, owner: TunnelOwner): void {
  const tunnel = new Tunnel(parts, context, owner);
  owner.tunnelBegun(tunnel);
  tunnel.start();
  context.tunnelOpened(tunnel);
}

/** Told once that a CONNECT is over, its tunnel included. */
export interface ConnectCount {
  connectOver(): void;
}
