/**
 * Runs a command in which the kernel refuses some system calls, as a container's seccomp(2) profile does:
 *
 *     bun test/support/forbidden_calls.ts epoll_wait,accept4 COMMAND [ARGUMENT...]
 *
 * Needs Bun on Linux. The filter holds for the thread that asks for it, and for the command that takes the place of
 * this process, with its id and descriptors.
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { bunFfi, openLibc } from "../../runtime/shared/libc.ts";

/** Numbers by processor. ARM64 has no epoll_wait: libc makes it out of epoll_pwait. */
const NUMBERS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  x64: { epoll_wait: 232, accept4: 288, recvfrom: 45 },
  arm64: { epoll_wait: 22, accept4: 242, recvfrom: 207 },
};

const PR_SET_SECCOMP = 22;
const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP_MODE_FILTER = 2;
const EPERM = 1;

// Classic BPF, see linux/filter.h and linux/seccomp.h.
const LOAD_NUMBER = [0x20, 0, 0, 0] as const;
const ALLOW = [0x06, 0, 0, 0x7fff0000] as const;
const REFUSE = [0x06, 0, 0, 0x00050000 | EPERM] as const;

interface Calls {
  prctl(option: number, a: number, b: number, c: number, d: number): number;
  execv(path: number, argv: number): number;
}

const [names = "", program = "", ...args] = process.argv.slice(2);
const numbers = names.split(",").map((name) => NUMBERS[process.arch]?.[name] ?? unknown(name));

function unknown(name: string): never {
  throw new Error(`the number of ${name} is not known on ${process.arch}`);
}

const ffi = bunFfi();
const libc = openLibc<Calls>({
  prctl: { args: ["i32", "usize", "usize", "usize", "usize"], returns: "i32" },
  execv: { args: ["ptr", "ptr"], returns: "i32" },
});
if (ffi === null || libc === null) throw new Error("libc cannot be called");

/** Everything whose address the kernel gets. */
const kept: ArrayBufferView[] = [];
const addressOf = (array: ArrayBufferView): number => {
  kept.push(array);
  return ffi.ptr(array);
};

/** `struct sock_filter`: code (u16), two jumps (u8 each), a number (u32). */
const steps = [
  LOAD_NUMBER,
  ...numbers.map((number, at) => [0x15, numbers.length - at, 0, number] as const),
  ALLOW,
  REFUSE,
];
const filter = new DataView(new ArrayBuffer(8 * steps.length));
for (const [at, [code, then, otherwise, number]] of steps.entries()) {
  filter.setUint16(8 * at, code, true);
  filter.setUint8(8 * at + 2, then);
  filter.setUint8(8 * at + 3, otherwise);
  filter.setUint32(8 * at + 4, number, true);
}
/** `struct sock_fprog`: a length (u16) and an address. */
const fprog = new DataView(new ArrayBuffer(16));
fprog.setUint16(0, steps.length, true);
fprog.setBigUint64(8, BigInt(addressOf(filter)), true);

const texts = [program, ...args].map((text) => addressOf(new Uint8Array(Buffer.from(`${text}\0`))));
const argv = new BigUint64Array(new ArrayBuffer(8 * (texts.length + 1)));
for (const [at, address] of texts.entries()) argv[at] = BigInt(address);

if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) !== 0) throw new Error("PR_SET_NO_NEW_PRIVS is refused");
if (libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, addressOf(fprog), 0, 0) !== 0) {
  throw new Error("PR_SET_SECCOMP is refused");
}
libc.execv(texts[0] ?? 0, addressOf(argv));
throw new Error(`${program} cannot be started`);
