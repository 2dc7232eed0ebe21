/**
 * Memory for system calls with bytes around it that nobody may change, and a libc that is given addresses inside of
 * that memory only. A violation is thrown where it is found, and fails the test that runs.
 */
import type { Libc } from "../../runtime/bun/epoll/libc.ts";
import { KeptBytes, KernelMemory } from "../../runtime/bun/kernel_memory.ts";

const ZONE_BYTES = 256;
const ZONE_BYTE = 0xa5;

interface Range {
  readonly start: number;
  readonly size: number;
}

export class RedZones extends KernelMemory {
  readonly #kept: (Range & { readonly whole: Uint8Array })[] = [];
  /** What was lent last, and is in use during the next call at most. */
  #lent: Range | null = null;
  /** Turns after which all zones were looked at. */
  turns = 0;

  override keep(size: number): KeptBytes {
    const whole = new Uint8Array(new ArrayBuffer(ZONE_BYTES + size + ZONE_BYTES)).fill(ZONE_BYTE);
    const bytes = whole.subarray(ZONE_BYTES, ZONE_BYTES + size).fill(0);
    this.#kept.push({ start: this.ffi.ptr(bytes), size, whole });
    return new KeptBytes(bytes, this.ffi);
  }

  override lent(bytes: Uint8Array, from: number, length: number): number {
    const address = super.lent(bytes, from, length);
    this.#lent = { start: this.ffi.ptr(bytes), size: bytes.length };
    return address;
  }

  override turnOver(): void {
    this.turns++;
    this.verify();
  }

  /** @throws when a byte beside an array was changed, or an array is somewhere else now */
  verify(): void {
    for (const { start, size, whole } of this.#kept) {
      if (this.ffi.ptr(whole) + ZONE_BYTES !== start) throw new Error(`an array of ${size} bytes has moved`);
      for (let at = 0; at < ZONE_BYTES; at++) {
        if (whole[at] !== ZONE_BYTE || whole[ZONE_BYTES + size + at] !== ZONE_BYTE) {
          throw new Error(`bytes beside an array of ${size} bytes were changed`);
        }
      }
    }
  }

  /** The same libc, which looks at every address that it is given. */
  guard(libc: Libc): Libc {
    const inside = (address: number, length: number): void => {
      const within = ({ start, size }: Range) => address >= start && address + length <= start + size;
      if (this.#kept.some(within) || (this.#lent !== null && within(this.#lent))) return;
      throw new Error(`${length} bytes at ${address} are nobody's`);
    };
    /** Addresses and lengths that a call hands over, by what stands in its manual page. */
    const pairs: Partial<Record<keyof Libc, (...args: number[]) => readonly (readonly [number, number])[]>> =
      {
        bind: (_fd, address, length) => [[address as number, length as number]],
        connect: (_fd, address, length) => [[address as number, length as number]],
        accept4: (_fd, address, length) => [[address as number, 110], [length as number, 4]],
        getsockname: (_fd, address, length) => [[address as number, 110], [length as number, 4]],
        getpeername: (_fd, address, length) => [[address as number, 110], [length as number, 4]],
        recv: (_fd, address, length) => [[address as number, length as number]],
        send: (_fd, address, length) => [[address as number, length as number]],
        getsockopt: (_fd, _level, _name, value, length) => [[value as number, 4], [length as number, 4]],
        setsockopt: (_fd, _level, _name, value, length) => [[value as number, length as number]],
        inet_pton: (
          family,
          text,
          address,
        ) => [[text as number, 46], [address as number, family === 2 ? 4 : 16]],
        epoll_ctl: (_epoll, _operation, _fd, event) => [[event as number, 12]],
        epoll_wait: (_epoll, events, count) => [[events as number, 12 * (count as number)]],
      };
    return wrapped(libc, (name, call, args) => {
      for (const [address, length] of pairs[name]?.(...args) ?? []) inside(address, length);
      this.#lent = null;
      return call(...args);
    });
  }
}

/** A libc whose calls all go through `around`. */
export function wrapped(
  libc: Libc,
  around: (name: keyof Libc, call: (...args: number[]) => number, args: readonly number[]) => number,
): Libc {
  const entries = Object.entries(libc).map(([name, call]) => [
    name,
    (...args: number[]) => around(name as keyof Libc, call as (...args: number[]) => number, args),
  ]);
  return Object.fromEntries(entries) as Libc;
}
