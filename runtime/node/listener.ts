/** Listening sockets on Node: bound or received from another process, and given another certificate while they are open. */
import type * as net from "node:net";
import { setImmediate } from "node:timers";
import {
  type Address,
  type Listener,
  type ListenOptions,
  type ServerTls,
  SocketFailure,
} from "../contract/contract.ts";
import { changeTls, type TlsServer } from "./tls.ts";
import { socketErrorOf } from "../shared/socket_error.ts";
import { bindUnixPath, OwnPath } from "../shared/unix_path.ts";

/** Lets a server listen where the options say. Rejects with the platform's error, or a SocketFailure. */
export async function bind(server: net.Server, options: ListenOptions): Promise<NodeListener> {
  const { address, backlog, inherited, reusePort } = options;
  if (inherited !== undefined) {
    await listening(server, { fd: inherited, backlog });
    const path = address.kind === "unix" ? new OwnPath(address.path) : null;
    return new NodeListener(server, address, true, path);
  }
  if (address.kind === "tcp") {
    const { host, port } = address;
    await listening(server, { host, port, backlog, ipv6Only: true, ...(reusePort ? { reusePort } : {}) });
    return new NodeListener(server, address, true);
  }
  const { apart, path } = await bindUnixPath(
    address.path,
    options.access,
    (name) => listening(server, { path: name, backlog }),
    () => server.close(),
  );
  return new NodeListener(server, address, apart, path);
}

function listening(server: net.Server, how: net.ListenOptions & { readonly fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    server.listen(how);
  });
}

class NodeListener implements Listener {
  readonly address: Address;
  readonly descriptor: number | null;
  readonly #server: net.Server;
  readonly #path: OwnPath | null;
  #closed: Promise<void> | null = null;

  /**
   * @param ours false when Node itself knows the path of the socket, and removes it at the end
   * @param path of a Unix socket
   */
  constructor(server: net.Server, asked: Address, ours: boolean, path: OwnPath | null = null) {
    const bound = server.address();
    this.#path = path;
    this.#server = server;
    this.address = asked.kind === "tcp" && typeof bound === "object" && bound !== null
      ? { kind: "tcp", host: bound.address, port: bound.port }
      : asked;
    const { _handle: handle } = server as unknown as { readonly _handle?: { readonly fd?: number } };
    const fd = handle?.fd ?? -1;
    this.descriptor = ours && fd >= 0 ? fd : null;
  }

  close(): Promise<void> {
    if (this.#closed === null) this.#path?.remove();
    return this.leave();
  }

  certify(tls: ServerTls): Promise<void> {
    try {
      // The cast: only listeners with TLS are asked.
      changeTls(this.#server as TlsServer, tls);
      return Promise.resolve();
    } catch (error) {
      const { code, detail } = socketErrorOf(error, "bind");
      return Promise.reject(new SocketFailure(code, detail));
    }
  }

  leave(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      // Its callback would wait for all connections to end; the descriptor is closed in this turn.
      this.#server.close();
      setImmediate(resolve);
    });
    return this.#closed;
  }
}
