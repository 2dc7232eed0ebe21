/**
 * sd_notify(3): tells the service manager that started us how we are. The protocol is one datagram to a Unix
 * socket, and no runtime has those without flags. So Bun and Deno call libc, and Node starts `systemd-notify`, for which the unit needs `NotifyAccess=all`.
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { childProcessModule } from "./lazy_module.ts";
import { openLibc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const CLOCK_MONOTONIC = 1;
const SOCK_CLOEXEC = 0o2000000;
/** Neither block nor raise SIGPIPE: MSG_DONTWAIT | MSG_NOSIGNAL. */
const SEND_FLAGS = 0x40 | 0x4000;
/** sizeof sun_path (unix(7)), where a path needs a NUL behind it. */
const MAX_PATH_BYTES = 108;
const HELPER_TIMEOUT_MS = 5_000;

/** Negative answers are failures. */
interface ManagerCalls {
  socket(domain: number, type: number, protocol: number): number;
  sendto(
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ): number;
  close(fd: number): number;
  clock_gettime(clock: number, time: Uint8Array): number;
}

/**
 * @param path value of NOTIFY_SOCKET: an absolute path, or "@" and an abstract name
 * @returns true when the datagram was handed over; false when it could not be, never an exception
 */
export async function notifyServiceManager(path: string, text: string): Promise<boolean> {
  const address = socketAddress(path);
  if (address === null || process.platform !== "linux" || text === "") return false;
  const library = loadCalls();
  if (library === null) return runHelper(path, text);
  return send(library, address, Buffer.from(text));
}

/** Node's high-resolution time is that of the clock; those of Bun and Deno begin with the process. */
export async function monotonicMicroseconds(): Promise<bigint | null> {
  if (process.platform !== "linux") return null;
  if (!("Bun" in globalThis || "Deno" in globalThis)) return process.hrtime.bigint() / 1000n;
  const library = loadCalls();
  const time = Buffer.alloc(16);
  if (library === null || library.clock_gettime(CLOCK_MONOTONIC, time) !== 0) return null;
  // struct timespec of 64-bit machines, which all that Bun and Deno run on are.
  return time.readBigInt64LE(0) * 1_000_000n + time.readBigInt64LE(8) / 1000n;
}

/** `struct sockaddr_un` of Linux. Null when the path cannot be one. */
function socketAddress(path: string): Uint8Array | null {
  const name = Buffer.from(path);
  const abstract = path.startsWith("@");
  if (!abstract && !path.startsWith("/")) return null;
  if (name.length < 2 || name.length + (abstract ? 0 : 1) > MAX_PATH_BYTES) return null;
  const address = Buffer.alloc(2 + name.length + (abstract ? 0 : 1));
  // sa_family_t is in the machine's byte order; all that Bun and Deno run on are little-endian.
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  if (abstract) address[2] = 0;
  return address;
}

function send(library: ManagerCalls, address: Uint8Array, message: Uint8Array): boolean {
  const fd = library.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const sent = library.sendto(fd, message, message.length, SEND_FLAGS, address, address.length);
  library.close(fd);
  return sent === message.length;
}

let loaded: ManagerCalls | null | undefined;

function loadCalls(): ManagerCalls | null {
  loaded ??= openLibc<ManagerCalls>({
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    sendto: { args: ["i32", "buffer", "usize", "i32", "buffer", "i32"], returns: "i32" },
    close: { args: ["i32"], returns: "i32" },
    clock_gettime: { args: ["i32", "buffer"], returns: "i32" },
  });
  return loaded;
}

/** systemd-notify(1) sends each argument as a line of one datagram to $NOTIFY_SOCKET, which it inherits. */
function runHelper(path: string, text: string): Promise<boolean> {
  const lines = text.split("\n").filter((line) => line !== "");
  const env = { ...process.env, NOTIFY_SOCKET: path };
  return new Promise((resolve) => {
    childProcessModule().execFile(
      "systemd-notify",
      ["--", ...lines],
      { env, timeout: HELPER_TIMEOUT_MS },
      (error) => {
        resolve(error === null);
      },
    );
  });
}
