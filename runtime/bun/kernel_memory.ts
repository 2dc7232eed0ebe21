/**
 * Memory that system calls read and write. An address that reaches the kernel comes from `addressWithin`, which
 * knows how long the array is; nothing else adds to an address.
 *
 * Why the addresses are those of the arrays (JavaScriptCore, the engine of Bun):
 * - The collector does not move objects. What moves bytes is an array getting an ArrayBuffer (`array.buffer` of one
 *   that was made without), a resize and a transfer. So arrays whose address is *kept* are made upon an ArrayBuffer of
 *   fixed length, whose bytes lie in the heap of malloc(3) until it is transferred or freed. `KeptBytes` holds it
 *   for as long as the address is known; after a transfer its length is 0, and every use of the address is refused.
 * - Arrays of others are *lent*: their address is asked for anew in every call and used by that call only. No code of
 *   the engine that could move or free the bytes runs between the two: a collection needs the thread to stop at a safe
 *   point, and there is none from the address to the return of the system call, which takes numbers and gives one.
 */
import { type BunFfi, bunFfi } from "../shared/libc.ts";

/**
 * The address of `[from, from + length)` in an array of `size` bytes that begins at `start`.
 *
 * @throws RangeError when that is not inside of the array, or a number is not whole
 */
export function addressWithin(start: number, size: number, from: number, length: number): number {
  if (
    (from | 0) !== from || (length | 0) !== length || from < 0 || length < 0 || from + length > size ||
    !(start > 0)
  ) {
    throw new RangeError(`[${from}, ${from} + ${length}) of ${size} bytes at ${start}`);
  }
  return start + from;
}

/** Bytes at an address that does not change for as long as this object exists. */
export class KeptBytes {
  readonly bytes: Uint8Array;
  readonly #start: number;

  /** @param bytes upon an ArrayBuffer of fixed length, which is never transferred */
  constructor(bytes: Uint8Array, ffi: Pick<BunFfi, "ptr">) {
    this.bytes = bytes;
    this.#start = ffi.ptr(bytes);
  }

  /** @throws RangeError as `addressWithin` */
  at(from: number, length: number): number {
    return addressWithin(this.#start, this.bytes.length, from, length);
  }
}

/** Gives out memory for system calls. A test puts its own in the place of this one, to see whether anything is written beside. */
export class KernelMemory {
  protected readonly ffi: BunFfi;

  constructor() {
    const ffi = bunFfi();
    if (ffi === null) throw new Error("no bun:ffi");
    this.ffi = ffi;
  }

  /** @param size in bytes; the address is a multiple of 8 */
  keep(size: number): KeptBytes {
    return new KeptBytes(new Uint8Array(new ArrayBuffer(size)), this.ffi);
  }

  /** The address of a part of a caller's array, for one call. @throws RangeError as `addressWithin` */
  lent(bytes: Uint8Array, from: number, length: number): number {
    return addressWithin(this.ffi.ptr(bytes), bytes.length, from, length);
  }

  /** Called at the end of every turn of the loop. */
  turnOver(): void {}
}

/** For numbers in it. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
