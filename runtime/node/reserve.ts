/**
 * Listening sockets that are bound for another process: until the first one that gets such a socket calls listen(2), it
 * is bound and no more.
 */
import * as net from "node:net";
import process from "node:process";
import { getSystemErrorMap } from "node:util";
import { type Address, type Listener, type ReserveOptions, SocketFailure } from "../contract/contract.ts";
import { ReservedSocket } from "../shared/reserved_socket.ts";
import { socketErrorOf } from "../shared/socket_error.ts";
import { resolveName } from "../shared/system.ts";
import { bindUnixPath } from "../shared/unix_path.ts";

/** A bound socket of libuv, as node:cluster uses it. */
interface NativeHandle {
  readonly fd: number;
  getsockname(name: { port?: number }): number;
  close(): void;
}

const UV_TCP_IPV6ONLY = 1;
const UV_TCP_REUSEPORT = 2;

/** Undocumented, and there since Node 0.9: binds without listening. A number is an error of libuv. */
const createHandle = (net as unknown as {
  _createServerHandle?(
    address: string,
    port: number,
    family: number,
    fd?: null,
    flags?: number,
  ): NativeHandle | number;
})._createServerHandle;

function opened(handle: NativeHandle | number): NativeHandle {
  if (typeof handle !== "number") return handle;
  const [code = "", message = ""] = getSystemErrorMap().get(handle) ?? [];
  const error = Object.assign(new Error(`bind ${code}: ${message}`), { code });
  const failure = socketErrorOf(error, "bind");
  throw new SocketFailure(failure.code, failure.detail);
}

/** Whether `reserve` works here. */
export function canReserve(): boolean {
  return process.platform !== "win32" && createHandle !== undefined;
}

/** See `Runtime.reserve`. */
export async function reserve({ address, access, inherited, reusePort }: ReserveOptions): Promise<Listener> {
  if (createHandle === undefined || !canReserve()) {
    throw new SocketFailure(
      "platform_error",
      `Node ${process.versions.node} cannot give a listening socket away`,
    );
  }
  if (inherited !== undefined) return new ReservedSocket(address, inherited);
  const create = createHandle;
  if (address.kind === "unix") {
    const { bound, apart } = await bindUnixPath(
      address.path,
      access,
      (name) => opened(create(name, -1, -1)),
      (handle) => handle.close(),
    );
    if (apart) return new ReservedSocket(address, bound.fd, () => bound.close());
    bound.close();
    throw new SocketFailure("platform_error", "the path is too long");
  }
  const [host = ""] = await resolveName(address.host);
  const flags = (reusePort ? UV_TCP_REUSEPORT : 0) | (net.isIPv6(host) ? UV_TCP_IPV6ONLY : 0);
  const handle = opened(create(host, address.port, net.isIP(host), null, flags));
  const name: { port?: number } = {};
  handle.getsockname(name);
  if (address.port !== 0 && name.port !== address.port) {
    // libuv keeps EADDRINUSE of bind(2) to itself until listen(2).
    handle.close();
    throw new SocketFailure("address_in_use", `port ${address.port} is in use`);
  }
  const bound: Address = { kind: "tcp", host, port: name.port ?? address.port };
  return new ReservedSocket(bound, handle.fd, () => handle.close());
}
