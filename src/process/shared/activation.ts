/** Sockets that a service manager has bound for us (systemd's .socket units), and which listener each of them is for. */

import type { ActivatedSocket, Address, Runtime, System } from "../../../runtime/contract/contract.ts";
import { printAddress } from "../../config/values/address.ts";
import type { Config } from "../../config/values/config.ts";
import type { GivenSocket } from "./sockets.ts";

/** Name of the socket that is for the admin listener. */
const ADMIN = "admin";

/** @returns the sockets for our listeners, or what is wrong */
export function activated(runtime: Runtime, system: System, config: Config): readonly GivenSocket[] | string {
  const passed = system.activatedSockets();
  if (passed.length === 0) return [];
  if (!runtime.capabilities.handover) {
    return `socket activation (LISTEN_FDS): ${runtime.name} cannot listen on a socket that it is given`;
  }
  const given: GivenSocket[] = [];
  for (const socket of passed) {
    const asked = listenerFor(socket, config);
    if (asked === null) {
      const where = socket.address === null
        ? "is no socket that listens"
        : `on ${printAddress(socket.address)}`;
      const name = socket.name === "" ? "" : ` (${socket.name})`;
      return `descriptor ${socket.descriptor}${name} of LISTEN_FDS, ${where}, is for none of our listeners: ` +
        "write its address in listen, or name it (FileDescriptorName) as it is written there, or admin";
    }
    given.push({ asked, address: socket.address ?? asked, descriptor: socket.descriptor, lent: true });
  }
  return given;
}

/** By its name, else by its address, else as one for all addresses of a port. */
function listenerFor({ name, address }: ActivatedSocket, config: Config): Address | null {
  if (address === null) return null;
  const listeners = config.listen.map((listen) => listen.address);
  if (name === ADMIN) return config.admin?.address ?? null;
  const all = config.admin === null ? listeners : [...listeners, config.admin.address];
  const byName = listeners.find((each) => namesOf(each).includes(name));
  const found = byName ?? all.find((each) => printAddress(each) === printAddress(address)) ??
    all.find((each) => isAny(each, address));
  return found ?? null;
}

/** As it may be written: systemd allows no colon in a name. */
function namesOf(address: Address): readonly string[] {
  return address.kind === "unix" ? [address.path] : [String(address.port)];
}

/** systemd binds a port alone on `::`, which takes IPv4 as well; Sluice on 0.0.0.0. */
function isAny(a: Address, b: Address): boolean {
  if (a.kind === "unix" || b.kind === "unix" || a.port !== b.port) return false;
  const any = ["0.0.0.0", "::"];
  return any.includes(a.host) && any.includes(b.host);
}
