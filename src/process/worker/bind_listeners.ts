/** Binds what the configuration lists, or says in words that help why it cannot be. */

import {
  type Address,
  type Listener,
  type ListenOptions,
  type ServerTls,
  type SocketErrorCode,
  SocketFailure,
  type System,
} from "../../../runtime/contract/contract.ts";
import { printListen } from "../../config/values/address.ts";
import type { Config, ListenConfig } from "../../config/values/config.ts";
import type { StartFailure } from "./messages.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import { readServerTls } from "../shared/tls_files.ts";
import type { GivenSocket, Sockets } from "../shared/sockets.ts";

/** A TLS handshake of a client not done by then is dropped. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** A listener, and which entry of the configuration it serves. */
export interface OpenListener {
  readonly key: string;
  readonly tls: boolean;
  readonly listener: Listener;
}

export interface WantedListener {
  readonly key: string;
  /** Its place in the configuration. */
  readonly at: number;
  /** Where to listen; null = where the configuration says. */
  readonly address: Address | null;
}

/**
 * Binds all of them, or none.
 *
 * @param shared other processes listen on the same ports
 * @returns those bound, in order, or why one could not be
 */
export async function bindAll(
  config: Config,
  gateway: Gateway,
  tls: ServerTls | null,
  wanted: readonly WantedListener[],
  shared: boolean,
): Promise<OpenListener[] | StartFailure> {
  const bound: OpenListener[] = [];
  for (const { key, at, address } of wanted) {
    const entry = config.listen[at] as ListenConfig;
    const where = address ?? entry.address;
    try {
      const listener = await gateway.bind(listenOptions(config, entry, where, tls, shared), entry.forward);
      bound.push({ key, tls: entry.tls, listener });
    } catch (error) {
      if (!(error instanceof SocketFailure)) throw error;
      for (const { listener } of bound) await gateway.unbind(listener);
      return { kind: "bind", message: failureText({ ...entry, address: where }, error) };
    }
  }
  return bound;
}

/** Open listeners get another certificate. @returns why it cannot be used */
export async function certifyAll(listeners: readonly OpenListener[], tls: ServerTls): Promise<string | null> {
  try {
    for (const open of listeners) if (open.tls) await open.listener.certify(tls);
    return null;
  } catch (error) {
    if (!(error instanceof SocketFailure)) throw error;
    return `the certificate of tls.cert and tls.key cannot be used: ${error.message}`;
  }
}

/**
 * Keeps sockets for workers in other processes, by listener. Nothing where processes cannot be given sockets:
 * then each worker binds its own.
 */
export async function keepSockets(
  sockets: Sockets,
  config: Config,
  workers: number,
): Promise<
  | { readonly ok: true; readonly kept: readonly (readonly GivenSocket[])[] }
  | { readonly ok: false; readonly message: string }
> {
  if (!sockets.runtime.capabilities.handover) return { ok: true, kept: [] };
  const kept: GivenSocket[][] = [];
  for (const listen of config.listen) {
    try {
      kept.push(await sockets.keep(listen.address, config.server.backlog, workers));
    } catch (error) {
      if (!(error instanceof SocketFailure)) throw error;
      await sockets.closeHeld();
      return { ok: false, message: failureText(listen, error) };
    }
  }
  return { ok: true, kept };
}

/**
 * Whether another process listens on one of the ports already. Where ports can be shared, binding them would not
 * tell: another Sluice of the same user would get half of our clients.
 *
 * @returns what is wrong, or null
 */
export async function findPortInUse(
  sockets: Sockets,
  config: Config,
  listens: readonly ListenConfig[] = config.listen,
): Promise<string | null> {
  for (const listen of listens) {
    const { address } = listen;
    if (address.kind === "unix" || address.port === 0 || sockets.inherits(address)) continue;
    try {
      await tryToListen(sockets, listenOptions(config, listen, address, null, false));
    } catch (error) {
      if (!(error instanceof SocketFailure)) throw error;
      return failureText(listen, error);
    }
  }
  return null;
}

/**
 * What would keep some of the listeners from being bound while others accept already: told before any of the
 * inherited sockets is touched, whose connections would be ours to lose from then on.
 *
 * @returns what is wrong, or null
 * @throws SystemError when the certificate or its key cannot be read
 */
export async function findFault(system: System, sockets: Sockets, config: Config): Promise<string | null> {
  const inUse = await findPortInUse(sockets, config);
  if (inUse !== null) return inUse;
  const secure = config.listen.find(({ tls }) => tls);
  if (secure === undefined) return null;
  const anyPort: Address = { kind: "tcp", host: "127.0.0.1", port: 0 };
  try {
    const tls = await readServerTls(system, config);
    await tryToListen(sockets, listenOptions(config, secure, anyPort, tls, false));
    return null;
  } catch (error) {
    if (!(error instanceof SocketFailure)) throw error;
    return failureText(secure, error);
  }
}

/** @throws SocketFailure */
async function tryToListen(sockets: Sockets, options: ListenOptions): Promise<void> {
  const probe = await sockets.runtime.listen(options, {
    accepted(socket) {
      // It has not been told yet that we are ready.
      socket.abort();
      return { data() {}, drained() {}, ended() {}, closed() {} };
    },
    acceptFailed() {},
  });
  await probe.close();
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

function failureText(listen: ListenConfig, error: SocketFailure): string {
  return `cannot listen on ${printListen(listen)}: ${error.message}${fixOf(listen, error.code)}`;
}

function fixOf({ address, tls, forward }: ListenConfig, code: SocketErrorCode): string {
  const choose = `choose another ${forward ? "--forward" : "--listen"}`;
  switch (code) {
    case "address_in_use":
      if (address.kind === "unix") {
        return `; another program listens there, or something else is at that path: ${choose}`;
      }
      return `; another program listens there: stop it, or ${choose}`;
    case "permission_denied":
    case "address_not_available":
      // Node says EACCES for a folder that does not exist.
      if (address.kind === "unix") return "; the folder must exist, and we must be allowed to write to it";
      if (code === "address_not_available") {
        return `; this machine has no such address: ${choose}`;
      }
      return address.port < 1024 ? `; ports below 1024 need privileges: ${choose}` : "";
    default:
      return tls ? "; do tls.cert and tls.key belong together?" : "";
  }
}
