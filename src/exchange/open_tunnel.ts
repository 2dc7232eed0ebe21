/** Begins the tunnel that a request has asked for, and says why it has ended. */

import type { ByteStream } from "../http/byte_stream.ts";
import type { Endpoint } from "../upstream/endpoint.ts";
import type { ExchangeContext } from "./exchange_context.ts";
import { tunnelReason } from "./failure_reason.ts";
import type { ReasonCode } from "./reason.ts";
import { Tunnel } from "./tunnel.ts";

/** What a tunnel is made of. */
export interface TunnelParts {
  readonly client: ByteStream;
  readonly upstream: ByteStream;
  /** Null where it leads to no endpoint of ours. */
  readonly endpoint: Endpoint | null;
  readonly idleMs: number;
  readonly isWebsocket: boolean;
}

/** Whose tunnel it is. */
export interface TunnelOwner {
  /** It is about to begin; it may end inside the call that begins it. */
  tunnelBegun(tunnel: Tunnel): void;
  /** Once; `code` is "" when all was well. */
  tunnelEnded(tunnel: Tunnel, code: ReasonCode | "", detail: string): void;
}

/** The client has been told that it is there. */
export function openTunnel(context: ExchangeContext, parts: TunnelParts, owner: TunnelOwner): void {
  const { client, upstream, endpoint, idleMs, isWebsocket } = parts;
  const tunnel = new Tunnel(client, upstream, endpoint, idleMs, isWebsocket, context.turn, (how) => {
    context.tunnelClosed(tunnel);
    owner.tunnelEnded(tunnel, tunnelReason(how), how === "finished" ? "" : how);
  });
  owner.tunnelBegun(tunnel);
  tunnel.start();
  context.tunnelOpened(tunnel);
}
