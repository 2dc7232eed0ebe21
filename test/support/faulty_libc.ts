/** A libc whose calls fail, or do less than they were asked for, on schedule. */
import { type BunFfi, bunFfi } from "../../runtime/shared/libc.ts";
import type { Libc } from "../../runtime/bun/epoll/libc.ts";
import { ERRNO } from "../../runtime/bun/epoll/numbers.ts";
import type { KeptBytes, KernelMemory } from "../../runtime/bun/kernel_memory.ts";
import { viewOf } from "../../runtime/bun/kernel_memory.ts";
import { wrapped } from "./red_zones.ts";

/**
 * The call is not made and answers -1; or it is made, and if it has not failed, or has begun something, it answers -1
 * `afterwards`; or it is made with a shorter length.
 * close(2) is made in any case: the kernel frees the descriptor, whatever it answers.
 */
export type Fault = { readonly errno: number } | { readonly afterwards: number } | {
  readonly atMost: number;
};

export type Schedule = (name: keyof Libc, args: readonly number[]) => Fault | null;

const NO_FAULTS: Schedule = () => null;

export class Faults {
  /** Calls that were made to fail or fall short since the last `arm`. */
  struck = 0;
  /** All calls since the last `arm`. */
  calls = 0;
  #schedule: Schedule = NO_FAULTS;
  /** What holds while nothing is armed. */
  #standing: Schedule = NO_FAULTS;

  /** From now on; nothing fails before. */
  arm(schedule: Schedule): void {
    this.struck = 0;
    this.calls = 0;
    this.#schedule = schedule;
  }

  disarm(): void {
    this.#schedule = this.#standing;
  }

  /** From now on, whenever nothing is armed. */
  stand(schedule: Schedule): void {
    this.#schedule = this.#standing = schedule;
  }

  libc(real: Libc, memory: KernelMemory): Libc {
    const ffi = bunFfi() as BunFfi;
    const errnoAt = real.__errno_location();
    const told: KeptBytes = memory.keep(8);
    const view = viewOf(told.bytes);
    return wrapped(real, (name, call, args) => {
      if (name === "__errno_location") return told.at(0, 4);
      this.calls++;
      const fault = this.#schedule(name, args);
      if (fault !== null) this.struck++;
      if (fault !== null && "errno" in fault) {
        if (name === "close") call(...args);
        view.setInt32(0, fault.errno, true);
        return -1;
      }
      const done = fault !== null && "atMost" in fault
        ? call(...args.with(2, Math.min(args[2] as number, fault.atMost)))
        : call(...args);
      const errno = done < 0 ? ffi.read.i32(errnoAt, 0) : 0;
      if (fault !== null && "afterwards" in fault && (errno === 0 || errno === ERRNO.EINPROGRESS)) {
        view.setInt32(0, fault.afterwards, true);
        return -1;
      }
      if (done < 0) view.setInt32(0, errno, true);
      return done;
    });
  }
}

/** The `nth` call of this name fails or falls short, counted from 1. */
export function nth(name: keyof Libc, n: number, fault: Fault): Schedule {
  let count = 0;
  return (called) => called === name && ++count === n ? fault : null;
}

/** All calls of this name do. */
export function every(name: keyof Libc, fault: Fault): Schedule {
  return (called) => called === name ? fault : null;
}
