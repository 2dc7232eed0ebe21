/**
 * Sockets that a service manager has bound for us: sd_listen_fds(3). The descriptors begin at 3, and three variables speak of
 * them. No runtime tells the address of a descriptor, but Linux does in /proc.
 */
import { readFileSync, readlinkSync } from "node:fs";
import process from "node:process";
import type { ActivatedSocket, Address } from "../contract/contract.ts";
import { fixSocket } from "./socket_flags.ts";

const FIRST = 3;
/** Number of the state TCP_LISTEN in /proc/net/tcp. */
const LISTENING = "0A";
/** `__SO_ACCEPTCON` in /proc/net/unix: a socket that listens. */
const ACCEPTS = 0x10000;

/** See `System.activatedSockets`. The variables are taken away: they are for this process only. */
export function activatedSockets(): ActivatedSocket[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count = "", LISTEN_FDNAMES: names = "" } = process.env;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"]) delete process.env[name];
  if (pid !== String(process.pid) || !/^[1-9]\d{0,3}$/.test(count)) return [];
  const named = names.split(":");
  return Array.from({ length: Number(count) }, (_, at) => {
    const descriptor = FIRST + at;
    fixSocket(descriptor);
    return { name: named[at] ?? "", address: addressOf(descriptor), descriptor };
  });
}

function addressOf(descriptor: number): Address | null {
  let inode: string | undefined;
  try {
    inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1];
  } catch {
    // Not Linux, or not open at all.
  }
  if (inode === undefined) return null;
  for (const line of lines("/proc/self/net/unix")) {
    // Number, references, protocol, flags, type, state, inode, path.
    const [, , , flags = "", , , its, ...path] = line.split(/ +/);
    if (its === inode && (parseInt(flags, 16) & ACCEPTS) !== 0) return { kind: "unix", path: path.join(" ") };
  }
  for (const table of ["tcp", "tcp6"]) {
    for (const line of lines(`/proc/self/net/${table}`)) {
      // Number, local address, remote address, state, queues, timer, retransmits, user, timeout, inode.
      const [, local = "", , state, , , , , , its] = line.split(/ +/);
      const [ip = "", port = ""] = local.split(":");
      if (its === inode && state === LISTENING) {
        return { kind: "tcp", host: hostOf(ip), port: parseInt(port, 16) };
      }
    }
  }
  return null;
}

/** Words of four bytes, each as a number in the byte order of the machine, which is little-endian. */
function hostOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return bytes.map((byte) => parseInt(byte, 16)).join(".");
  const groups = Array.from({ length: 8 }, (_, at) => `${bytes[2 * at]}${bytes[2 * at + 1]}`);
  // As it is usually written.
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, "latin1").split("\n").map((line) => line.trim());
  } catch {
    return [];
  }
}
