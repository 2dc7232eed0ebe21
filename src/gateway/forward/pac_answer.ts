/** The proxy auto-configuration file of a forward proxy: what a client of this listener gets. */

import { isLocalhostName } from "../../bytes/ip_address.ts";
import { cutPort, readHost, readPort } from "../../forward/destination_host.ts";
import { pacFile } from "../../forward/pac_file.ts";
import type { Head } from "../../http/head.ts";
import type { PacSettings } from "./forward_snapshot.ts";

/** The target that it is asked for by. */
export const PAC_TARGET = "/proxy.pac";

/** Whether a request, in origin form, asks for it. */
export function asksForPac({ method, target }: Head): boolean {
  return (method === "GET" || method === "HEAD") &&
    (target === PAC_TARGET || target.startsWith(`${PAC_TARGET}?`));
}

/**
 * The file for a client that has come by this request.
 *
 * @param secure its listener speaks TLS
 * @returns null when nothing tells by which address clients reach us: what Host says is not believed, for it may be the name
 *   of somebody who leads browsers here
 */
export function pacAnswer({ decisions, host, own }: PacSettings, head: Head, secure: boolean): string | null {
  const place = host ?? ownHost(head.host, own, secure);
  return place === null ? null : pacFile(decisions, `${secure ? "HTTPS" : "PROXY"} ${place}`);
}

/** Host and port, if they are those of a listener of ours; null when they are not. */
function ownHost(field: string, own: PacSettings["own"], secure: boolean): string | null {
  const cut = cutPort(field);
  const host = readHost(cut.host);
  const port = cut.port === null || cut.port === "" ? (secure ? 443 : 80) : readPort(cut.port);
  if (typeof host === "string" || port === null) return null;
  const address = host.isLiteral ? host.key : isLocalhostName(host.key) ? "127.0.0.1" : null;
  if (address === null || !own.has(address, port)) return null;
  return `${host.key.includes(":") ? `[${host.key}]` : host.key}:${port}`;
}
