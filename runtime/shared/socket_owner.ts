/** Which process listens at an address, as Linux tells in /proc (proc_pid_net(5), proc_pid_fd(5)). */
import * as fs from "node:fs";
import type { Address, SocketOwner } from "../contract/contract.ts";
import { netModule } from "./lazy_module.ts";

/** Number of the state TCP_LISTEN. */
const LISTENING = "0A";
/** `__SO_ACCEPTCON`: a Unix socket that listens. */
const ACCEPTS = 0x10000;
const ANY_IPV4 = "00000000";
const ANY_IPV6 = "0".repeat(32);
/** ::ffff:0.0.0.0/96, each group of four bytes as a little-endian number. */
const MAPPED = "0000000000000000FFFF0000";

interface ListeningSocket {
  readonly inode: string;
  readonly user: number | null;
}

/** See `System.listenerAt`. */
export async function listenerAt(address: Address): Promise<SocketOwner | null> {
  const socket = address.kind === "unix"
    ? unixListener(address.path)
    : tcpListener(address.host, address.port);
  if (socket === null) return null;
  const { inode, user } = socket;
  const pid = await processWith(`socket:[${inode}]`);
  return pid === null
    ? { pid: null, program: "", user }
    : { pid, program: text(`/proc/${pid}/comm`).trim(), user };
}

function tcpListener(host: string, port: number): ListeningSocket | null {
  const wanted = netModule().isIPv4(host) ? ipv4Hex(host) : null;
  const portHex = port.toString(16).toUpperCase().padStart(4, "0");
  let found: ListeningSocket | null = null;
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of text(table).split("\n")) {
      // Number, local address, remote address, state, queues, timer, retransmits, user, timeout, inode.
      const [, local = "", , state, , , , user, , inode] = line.trim().split(/ +/);
      const [ip, at] = local.split(":");
      if (state !== LISTENING || at !== portHex || inode === undefined) continue;
      const exact = ip === wanted || ip === MAPPED + (wanted ?? "");
      if (wanted !== null && !exact && ip !== ANY_IPV4 && ip !== ANY_IPV6) continue;
      // One that listens on this address goes before one that listens on all.
      if (found === null || exact) found = { inode, user: Number(user) };
    }
  }
  return found;
}

function ipv4Hex(host: string): string {
  return host.split(".").reverse().map((byte) => Number(byte).toString(16).toUpperCase().padStart(2, "0"))
    .join("");
}

function unixListener(path: string): ListeningSocket | null {
  for (const line of text("/proc/net/unix").split("\n")) {
    // Number, references, protocol, flags, type, state, inode, path.
    const [, , , flags = "", , , inode, ...rest] = line.trim().split(/ +/);
    if (inode === undefined || rest.join(" ") !== path || (parseInt(flags, 16) & ACCEPTS) === 0) continue;
    return { inode, user: null };
  }
  return null;
}

/** The first process that has the file open. Those of other users cannot be looked into, unless we are root. */
async function processWith(file: string): Promise<number | null> {
  for (const name of entries("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    for (const descriptor of entries(`/proc/${name}/fd`)) {
      if (linkOf(`/proc/${name}/fd/${descriptor}`) === file) return Number(name);
    }
    // Thousands of processes take a while: the loop may serve in between.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return null;
}

function text(path: string): string {
  try {
    return fs.readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function entries(folder: string): readonly string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return fs.readlinkSync(path);
  } catch {
    return "";
  }
}
