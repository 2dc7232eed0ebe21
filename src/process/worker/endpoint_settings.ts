/** Endpoints of a configuration as an upstream has them, with the files that say how TLS is spoken to them. */

import type { ClientTls, System } from "../../../runtime/contract/contract.ts";
import type { EndpointConfig, UpstreamConfig } from "../../config/values/config.ts";
import type { EndpointSettings } from "../../upstream/endpoint_settings.ts";
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
    const clientTls: ClientTls | null = endpoint.scheme === "http" ? null : {
      serverName: tls.serverName ?? serverNameOf(endpoint),
      verify: tls.verify,
      ca,
      ...(cert !== null && key !== null ? { cert, key } : {}),
    };
    return {
      name: endpoint.name,
      key: {
        scheme: endpoint.scheme,
        address: endpoint.address,
        tls: clientTls,
        proxyChain: [],
        credentials: credentials === null ? "" : credentials.connectionKey(upstream, endpoint),
      },
      hostField: hostField(endpoint),
      ...(endpoint.proxy === undefined ? {} : { proxy: { authorization: endpoint.proxy.authorization } }),
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

/** The name, also where one of its addresses is dialled. */
function serverNameOf({ address, written }: EndpointConfig): string {
  const { address: named } = written ?? { address };
  return named.kind === "tcp" ? named.host : "localhost";
}

/** Host of the endpoint as a URL would have it: the scheme's own port is left out. */
function hostField(endpoint: EndpointConfig): string {
  const { address, scheme } = endpoint.written ?? endpoint;
  if (address.kind === "unix") return "localhost";
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return address.port === (scheme === "https" ? 443 : 80) ? host : `${host}:${address.port}`;
}
