/**
 * Listening sockets on Bun: opened, received from another process, reserved for one, and given another certificate while
 * they are open.
 */
import { closeSync } from "node:fs";
import type {
  AcceptEvents,
  Address,
  Listener,
  ListenOptions,
  ReserveOptions,
  ServerTls,
} from "../contract/contract.ts";
import { SocketFailure } from "../contract/contract.ts";
import { plainHandlers, tlsHandlers } from "./accept.ts";
import { outOfDescriptors } from "./dial.ts";
import { duplicator } from "./duplicate.ts";
import {
  type BunGlobal,
  type NativeHandlers,
  type NativeListenAddress,
  type NativeListener,
  OWNER_HANDLERS,
  type SocketOptions,
} from "./native.ts";
import type { Host } from "./socket.ts";
import { serverTls } from "./tls.ts";
import { ReservedSocket } from "../shared/reserved_socket.ts";
import { socketErrorOf } from "../shared/socket_error.ts";
import { resolveName } from "../shared/system.ts";
import { bindUnixPath, OwnPath } from "../shared/unix_path.ts";

declare const Bun: BunGlobal;

const NO_CERTIFY = "the certificate of an open listener cannot be changed here";
const NO_HANDOVER = "listening sockets cannot be given to other processes on this platform";

/** See `Runtime.listen`. */
export async function listen(options: ListenOptions, events: AcceptEvents, host: Host): Promise<Listener> {
  if (options.tls === null) {
    return await open(options, { allowHalfOpen: true, socket: plainHandlers(events, host) });
  }
  const accepting = async (tls: ServerTls): Promise<SocketOptions> => ({
    allowHalfOpen: true,
    socket: await tlsHandlers({ ...options, tls }, events, host),
    tls: serverTls(tls),
  });
  const listener = await open(options, await accepting(options.tls));
  listener.accepting = accepting;
  return listener;
}

/**
 * See `Runtime.reserve`. Bun accepts from every socket it listens on. So the socket is opened by a listener that ends in
 * the same turn, before it could accept, and a second descriptor of the socket remains.
 */
export async function reserve(options: ReserveOptions): Promise<Listener> {
  const duplicate = duplicator();
  if (duplicate === null) throw new SocketFailure("platform_error", NO_HANDOVER);
  if (options.inherited !== undefined) return new ReservedSocket(options.address, options.inherited);
  const opener = await open(options, { allowHalfOpen: true, socket: DROP_ALL });
  const { address, descriptor } = opener;
  const kept = descriptor === null ? -1 : duplicate(descriptor);
  await (kept < 0 ? opener.close() : opener.leave());
  if (kept < 0) throw new SocketFailure("resource_exhausted", "the listening socket cannot be duplicated");
  return new ReservedSocket(address, kept);
}

/** For a listener that never accepts. */
const DROP_ALL: NativeHandlers = { ...OWNER_HANDLERS, open: (native) => native.terminate() };

async function open(options: ReserveOptions, accepting: SocketOptions): Promise<BunListener> {
  const { address, reusePort, inherited } = options;
  if (inherited !== undefined) {
    try {
      const path = address.kind === "unix" ? new OwnPath(address.path) : null;
      return new BunListener(Bun.listen({ fd: inherited, reusePort, ...accepting }), address, true, path);
    } catch (error) {
      throw bindFailure(error);
    }
  }
  const bind = (where: NativeListenAddress): NativeListener => {
    try {
      return Bun.listen({ ...where, reusePort, ...accepting });
    } catch (error) {
      throw bindFailure(error);
    }
  };
  if (address.kind === "unix") {
    const { bound, apart, path } = await bindUnixPath(
      address.path,
      options.access,
      (unix) => bind({ unix }),
      (listener) => listener.stop(),
    );
    return new BunListener(bound, address, apart, path);
  }
  // Bun would not say why a name cannot be bound.
  const [ip = ""] = await resolveName(address.host);
  const listener = bind({ hostname: ip, port: address.port, ipv6Only: ip.includes(":") });
  const bound: Address = { kind: "tcp", host: ip, port: listener.port ?? address.port };
  return new BunListener(listener, bound, true);
}

class BunListener implements Listener {
  readonly address: Address;
  #native: NativeListener;
  readonly #ours: boolean;
  readonly #path: OwnPath | null;
  #open = true;
  /** How clients are accepted with another certificate; null without TLS. */
  accepting: ((tls: ServerTls) => Promise<SocketOptions>) | null = null;

  /**
   * @param ours false when Bun itself knows the path of the socket, and removes it at the end
   * @param path of a Unix socket
   */
  constructor(native: NativeListener, address: Address, ours: boolean, path: OwnPath | null = null) {
    this.#native = native;
    this.address = address;
    this.#ours = ours;
    this.#path = path;
  }

  get descriptor(): number | null {
    return this.#ours && duplicator() !== null ? this.#native.fd : null;
  }

  /** Bun takes a certificate at the start only: another listener goes on with a second descriptor of the socket. */
  async certify(tls: ServerTls): Promise<void> {
    const duplicate = this.#ours ? duplicator() : null;
    if (this.accepting === null || duplicate === null) throw new SocketFailure("platform_error", NO_CERTIFY);
    const options = await this.accepting(tls);
    if (!this.#open) return;
    const descriptor = duplicate(this.#native.fd);
    if (descriptor < 0) {
      throw new SocketFailure("resource_exhausted", "the listening socket cannot be duplicated");
    }
    let native: NativeListener;
    try {
      native = Bun.listen({ fd: descriptor, reusePort: false, ...options });
    } catch (error) {
      closeSync(descriptor);
      throw bindFailure(error);
    }
    this.#native.stop();
    this.#native = native;
  }

  close(): Promise<void> {
    if (this.#open) this.#path?.remove();
    return this.leave();
  }

  /** Bun closes the descriptor at once; accepted sockets live on. */
  leave(): Promise<void> {
    this.#open = false;
    this.#native.stop();
    return Promise.resolve();
  }
}

function bindFailure(error: unknown): SocketFailure {
  const { code, detail } = socketErrorOf(error, "bind");
  if (code === "platform_error" && outOfDescriptors()) {
    return new SocketFailure("resource_exhausted", "no file descriptor is left");
  }
  return new SocketFailure(code, detail);
}
