/** Binds what the configuration lists, or says in words that help why it cannot be. */

import {
  type Address,
  type ListenOptions,
  type Runtime,
  type ServerTls,
  SocketFailure,
} from "../../runtime/contract.ts";
import { printAddress } from "../config/address.ts";
import type { Config, ListenConfig } from "../config/config.ts";
import type { Front } from "../front/front.ts";

/** A TLS handshake of a client not done by then is dropped. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

export type Bound =
  | { readonly ok: true; readonly addresses: readonly Address[] }
  | { readonly ok: false; readonly message: string };

/**
 * Binds every listener, or none.
 *
 * @param addresses where to listen, in the order of the configuration; null = where that says
 * @param shared other processes listen on the same ports
 */
export async function bindListeners(
  config: Config,
  front: Front,
  tls: ServerTls | null,
  addresses: readonly Address[] | null,
  shared: boolean,
): Promise<Bound> {
  const bound: Address[] = [];
  for (const [index, listen] of config.listen.entries()) {
    const address = addresses?.[index] ?? listen.address;
    try {
      bound.push(await front.listen(listenOptions(config, listen, address, tls, shared)));
    } catch (error) {
      if (!(error instanceof SocketFailure)) throw error;
      await front.drain(0);
      return { ok: false, message: failureText(address, error) };
    }
  }
  return { ok: true, addresses: bound };
}

/**
 * Whether somebody listens on one of the ports already. Where ports can be shared, binding them would not
 * tell: another Sluice of the same user would get half of our clients.
 *
 * @returns what is wrong, or null
 */
export async function findPortInUse(runtime: Runtime, config: Config): Promise<string | null> {
  for (const listen of config.listen) {
    const { address } = listen;
    if (address.kind === "unix" || address.port === 0) continue;
    try {
      const probe = await runtime.listen(listenOptions(config, listen, address, null, false), {
        accepted(socket) {
          // Nobody has been told that we are ready.
          socket.abort();
          return { data() {}, drained() {}, ended() {}, closed() {} };
        },
        acceptFailed() {},
      });
      await probe.close();
    } catch (error) {
      if (!(error instanceof SocketFailure)) throw error;
      return failureText(address, error);
    }
  }
  return null;
}

function listenOptions(
  config: Config,
  listen: ListenConfig,
  address: Address,
  tls: ServerTls | null,
  reusePort: boolean,
): ListenOptions {
  return {
    address,
    backlog: config.server.backlog,
    reusePort,
    tls: listen.tls ? tls : null,
    handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
  };
}

function failureText(address: Address, error: SocketFailure): string {
  const fix = error.code === "address_in_use"
    ? "; another program listens there: stop it, or choose another --listen"
    : error.code === "permission_denied"
    ? "; ports below 1024 need privileges: choose another --listen"
    : "";
  return `cannot listen on ${printAddress(address)}: ${error.message}${fix}`;
}
