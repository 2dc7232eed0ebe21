/**
 * Failures of system calls that nobody who asks the proxy for anything may notice: calls that are interrupted or find nothing,
 * sends and receives that take and give less than they could, connections that were gone before they were accepted. With
 * `SLUICE_TEST_FAULTS=1` in the environment (or another seed) they happen all the time in tests over epoll: what the tests say holds
 * with them as without.
 */
import process from "node:process";
import { Random } from "../contract/pattern.ts";
import {
  ERRNO,
  IPPROTO_TCP,
  MSG_PEEK,
  SO_LINGER,
  SOL_SOCKET,
  TCP_NODELAY,
} from "../../runtime/bun/epoll/numbers.ts";
import type { Fault, Schedule } from "./faulty_libc.ts";

/** Most bytes of a send or a receive that falls short: less than a head has, as a rule. */
const SHORT_BYTES = 200;

/** Null when they are not asked for. @throws Error when the seed is none */
export function askedForFaults(): Schedule | null {
  const asked = process.env["SLUICE_TEST_FAULTS"] ?? "";
  if (asked === "") return null;
  const seed = Number(asked);
  if (!Number.isInteger(seed)) throw new Error(`SLUICE_TEST_FAULTS=${asked}: use a number`);
  return transparentFaults(seed);
}

/** Of calls that can fail like this some in a hundred do. */
export function transparentFaults(seed: number): Schedule {
  const random = new Random(seed);
  /** Sockets whose last receive was struck: the next one is not, so that what a peer sent before its reset is found. */
  const struck = new Set<number>();
  const oneOf = (...errors: readonly (keyof typeof ERRNO)[]): Fault => {
    return { errno: ERRNO[errors[random.below(errors.length)] as keyof typeof ERRNO] };
  };
  const short = (): Fault => ({ atMost: 1 + random.below(SHORT_BYTES) });
  return (name, args) => {
    const dice = random.below(100);
    switch (name) {
      case "send":
        return dice < 4 ? short() : dice < 8 ? oneOf("EAGAIN", "EINTR", "ENOBUFS") : null;
      case "recv":
        // A look ahead that fails says that there is nothing.
        if (((args[3] ?? 0) & MSG_PEEK) !== 0 || struck.delete(args[0] ?? -1) || dice >= 8) return null;
        struck.add(args[0] ?? -1);
        return dice < 4 ? short() : oneOf("EAGAIN", "EINTR");
      case "accept4":
        return dice < 10 ? oneOf("EAGAIN", "EINTR", "ECONNABORTED", "EPROTO") : null;
      case "epoll_wait":
        return dice < 4 ? oneOf("EINTR") : null;
      case "connect":
        return dice < 20 ? { afterwards: ERRNO.EINTR } : null;
      case "close":
        return dice < 10 ? oneOf("EINTR", "EIO") : null;
      case "setsockopt":
        return dice < 20 && MAY_BE_REFUSED.has(option(args[1], args[2])) ? oneOf("ENOMEM", "ENOBUFS") : null;
      default:
        return null;
    }
  };
}

/** Nagle's algorithm stays, or the reset is made another way. */
const MAY_BE_REFUSED: ReadonlySet<string> = new Set([
  option(IPPROTO_TCP, TCP_NODELAY),
  option(SOL_SOCKET, SO_LINGER),
]);

function option(level: number | undefined, name: number | undefined): string {
  return `${level} ${name}`;
}
