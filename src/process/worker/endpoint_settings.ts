/** Endpoints of a configuration as an upstream has them, with the files that say how TLS is spoken to them. */

import type { Address, ClientTls, System } from "../../../runtime/contract/contract.ts";
import type { ReuseKey } from "../../client/reuse_key.ts";
import { basicLogin } from "../../config/build_forward.ts";
import { printAddress } from "../../config/values/address.ts";
import type { EndpointConfig, ProxyParentConfig, UpstreamConfig } from "../../config/values/config.ts";
import type { EndpointSettings, ProxySettings } from "../../upstream/endpoint_settings.ts";
import type { BuiltCredentials } from "./build_credentials.ts";
import { upstreamTlsPaths, usableTlsFiles } from "../shared/tls_files.ts";

/**
 * The endpoints of an upstream.
 *
 * @param slots held at first; null = all
 * @param credentials that the configuration has; null = connections are for nothing that needs any
 * @throws SystemError when a file of `upstream_tls` cannot be read or used
 */
export async function endpointSettings(
  system: System,
  upstream: UpstreamConfig,
  slots: ((upstream: string, endpoint: string) => number) | null,
  credentials: BuiltCredentials | null = null,
): Promise<EndpointSettings[]> {
  const { tls } = upstream;
  const paths = upstreamTlsPaths(upstream);
  const named = (option: string) => `upstream_tls.${option} of ${upstream.name}`;
  const { ca, cert, key } = await usableTlsFiles(system, paths, named);
  return upstream.endpoints.map((endpoint) => {
    const tlsWith = (scheme: "http" | "https", serverName: string): ClientTls | null =>
      scheme === "http" ? null : {
        serverName: tls.serverName ?? serverName,
        verify: tls.verify,
        ca,
        ...(cert !== null && key !== null ? { cert, key } : {}),
      };
    const clientTls = tlsWith(endpoint.scheme, serverNameOf(endpoint));
    const via = endpoint.proxy?.via;
    const viaTls = via?.kind === "http" ? tlsWith(via.scheme, hostOf(via.address)) : null;
    return {
      name: endpoint.name,
      key: {
        scheme: endpoint.scheme,
        address: endpoint.address,
        tls: clientTls,
        proxyChain: [],
        credentials: credentials === null ? "" : credentials.connectionKey(upstream, endpoint),
        ...(via === undefined ? {} : keyBy(via, endpoint.address, viaTls, clientTls)),
      },
      hostField: hostField(endpoint),
      ...(endpoint.proxy === undefined ? {} : { proxy: proxySettings(endpoint.proxy) }),
      weight: endpoint.weight,
      maxInFlight: upstream.maxInFlight,
      ...(slots === null ? {} : { slots: slots(upstream.name, endpoint.name) }),
      pool: {
        size: upstream.pool.size,
        idleTimeoutMs: upstream.pool.idleTimeoutMs,
        maxAgeMs: upstream.pool.maxAgeMs,
      },
    };
  });
}

function proxySettings(
  { authorization, passesLogin, userPassword }: EndpointConfig["proxy"] & object,
): ProxySettings {
  return {
    authorization,
    ...(passesLogin === undefined ? {} : { passesLogin }),
    ...(userPassword === undefined ? {} : { userPassword }),
  };
}

/** The name, also where one of its addresses is dialled. */
function serverNameOf({ address, written }: EndpointConfig): string {
  const { address: named } = written ?? { address };
  return hostOf(named);
}

function hostOf(address: Address): string {
  return address.kind === "tcp" ? address.host : "localhost";
}

/**
 * What of a key is other where a proxy is reached by way of another one.
 *
 * @param address of the proxy that is meant
 * @param viaTls with the first one
 * @param tls with the one that is meant; null = none
 */
export function keyBy(
  via: ProxyParentConfig,
  address: Address,
  viaTls: ClientTls | null,
  tls: ClientTls | null,
): Pick<ReuseKey, "address" | "tls" | "proxyChain" | "via" | "innerTls"> {
  // The cast: see `parents`, which lets nothing else have one in front of it.
  const { host, port } = address as Address & { kind: "tcp" };
  const { user, password } = via;
  return {
    address: via.address,
    tls: viaTls,
    proxyChain: [via.name],
    via: via.kind === "http"
      ? { kind: "http", authority: printAddress(address), authorization: basicLogin(via) }
      : {
        kind: "socks",
        target: {
          host,
          port,
          resolves: via.resolves,
          login: user === null ? null : { user, password: password ?? "" },
        },
      },
    ...(tls === null ? {} : { innerTls: tls }),
  };
}

/** Host of the endpoint as a URL would have it: the scheme's own port is left out. */
function hostField(endpoint: EndpointConfig): string {
  const { address, scheme } = endpoint.written ?? endpoint;
  if (address.kind === "unix") return "localhost";
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return address.port === (scheme === "https" ? 443 : 80) ? host : `${host}:${address.port}`;
}
