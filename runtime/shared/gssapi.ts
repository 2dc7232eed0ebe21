/**
 * Tokens by MIT Kerberos's GSS-API library, called through `bun:ffi` (RFC 2744, C bindings). A call may wait for a key distribution
 * centre, so none of this may run where requests are served: see token_process.ts.
 */
import process from "node:process";
import type { TokenStep } from "../contract/contract.ts";

const LIBRARIES: readonly string[] = process.platform === "darwin"
  ? ["/System/Library/Frameworks/GSS.framework/GSS"]
  : ["libgssapi_krb5.so.2"];

/** The part of `bun:ffi` used here. A pointer is a number; typed arrays are passed as their address. */
interface Ffi {
  dlopen(
    name: string,
    symbols: Readonly<Record<string, { readonly args: readonly string[]; readonly returns: string }>>,
  ): { readonly symbols: Readonly<Record<string, unknown>> };
  ptr(array: ArrayBufferView): number;
  toArrayBuffer(address: number, offset: number, length: number): ArrayBuffer;
}

type Argument = ArrayBufferView | number | null;
type Call = (...args: Argument[]) => number;

interface Library {
  readonly gss_import_name: Call;
  readonly gss_init_sec_context: Call;
  readonly gss_delete_sec_context: Call;
  readonly gss_release_buffer: Call;
  readonly gss_release_name: Call;
  readonly gss_display_status: Call;
}

const SIGNATURES = {
  gss_import_name: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "u32" },
  gss_init_sec_context: {
    args: ["ptr", "ptr", "ptr", "ptr", "ptr", "u32", "u32", "ptr", "ptr", "ptr", "ptr", "ptr", "ptr"],
    returns: "u32",
  },
  gss_delete_sec_context: { args: ["ptr", "ptr", "ptr"], returns: "u32" },
  gss_release_buffer: { args: ["ptr", "ptr"], returns: "u32" },
  gss_release_name: { args: ["ptr", "ptr"], returns: "u32" },
  gss_display_status: { args: ["ptr", "u32", "i32", "ptr", "ptr", "ptr"], returns: "u32" },
} as const;

/** GSS_C_NT_HOSTBASED_SERVICE, 1.2.840.113554.1.2.1.4. */
const HOST_BASED = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x01, 0x04];
/** SPNEGO, 1.3.6.1.5.5.2 (RFC 4178). */
const SPNEGO = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
/** Routine and calling errors; the rest of a status says no more than what else there is to say. */
const ERRORS = 0xffff0000;
const GSS_CODE = 1;
const MECHANISM_CODE = 2;
/** Longest texts of a status, in number. */
const MOST_WORDS = 4;

let opened: { readonly ffi: Ffi; readonly library: Library } | null | undefined;

function open(): { readonly ffi: Ffi; readonly library: Library } | null {
  if (opened !== undefined) return opened;
  opened = null;
  const ffi = (process.getBuiltinModule?.("bun:ffi" as "node:fs") ?? null) as unknown as Ffi | null;
  if (ffi === null || process.platform === "win32") return opened;
  for (const name of LIBRARIES) {
    try {
      opened = { ffi, library: ffi.dlopen(name, SIGNATURES).symbols as unknown as Library };
      break;
    } catch {
      // It is not installed.
    }
  }
  return opened;
}

/** Whether there is a library that makes tokens, and a way to call it. */
export function hasGssapi(): boolean {
  return open() !== null;
}

/** Memory of its own, which does not move. */
function memory(bytes: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(bytes));
}

/** A buffer or an object identifier: a length and an address. */
class Sized {
  readonly struct = memory(16);
  readonly bytes: Uint8Array;

  /** @param content null = it is filled by a call */
  constructor(ffi: Ffi, content: Uint8Array | readonly number[] | null) {
    this.bytes = memory(Math.max(1, content?.length ?? 0));
    if (content === null) return;
    this.bytes.set(content);
    const view = new DataView(this.struct.buffer);
    // An object identifier has a length of 32 bits, and padding behind it: the same on machines of this byte order.
    view.setBigUint64(0, BigInt(content.length), true);
    view.setBigUint64(8, BigInt(ffi.ptr(this.bytes)), true);
  }

  /** What a call has put there, copied. */
  filled(ffi: Ffi): Uint8Array {
    const view = new DataView(this.struct.buffer);
    const length = Number(view.getBigUint64(0, true));
    const address = Number(view.getBigUint64(8, true));
    return length === 0 || address === 0
      ? new Uint8Array(0)
      : new Uint8Array(ffi.toArrayBuffer(address, 0, length)).slice();
  }
}

/** One context. All calls block. */
export class GssapiContext {
  readonly #service: string;
  readonly #context = memory(8);
  readonly #name = memory(8);
  #imported = false;

  constructor(service: string) {
    this.#service = service;
  }

  step(token: string): TokenStep {
    const made = open();
    if (made === null) return { kind: "failed", words: "there is no GSS-API library" };
    const { ffi, library } = made;
    const minor = memory(4);
    if (!this.#imported) {
      const text = new Sized(ffi, new TextEncoder().encode(this.#service));
      const type = new Sized(ffi, HOST_BASED);
      const status = library.gss_import_name(minor, text.struct, type.struct, this.#name);
      if (failed(status)) return this.#failure(status, minor);
      this.#imported = true;
    }
    const input = new Sized(ffi, token === "" ? null : Buffer.from(token, "base64"));
    const output = new Sized(ffi, null);
    const mechanism = new Sized(ffi, SPNEGO);
    const name = Number(new DataView(this.#name.buffer).getBigUint64(0, true));
    const status = library.gss_init_sec_context(
      minor,
      null,
      this.#context,
      name,
      mechanism.struct,
      0,
      0,
      null,
      token === "" ? null : input.struct,
      null,
      output.struct,
      null,
      null,
    );
    const bytes = output.filled(ffi);
    const words = failed(status) ? this.#failure(status, minor) : null;
    library.gss_release_buffer(minor, output.struct);
    return words ?? { kind: "token", token: Buffer.from(bytes).toString("base64") };
  }

  #failure(status: number, minor: Uint8Array): TokenStep {
    const code = new DataView(minor.buffer).getUint32(0, true);
    const words = [...displayed(status, GSS_CODE), ...displayed(code, MECHANISM_CODE)];
    return { kind: "failed", words: words.join(": ").slice(0, 300) };
  }

  end(): void {
    const made = open();
    if (made === null) return;
    const minor = memory(4);
    if (this.#context.some((byte) => byte !== 0)) {
      made.library.gss_delete_sec_context(minor, this.#context, null);
    }
    if (this.#imported) made.library.gss_release_name(minor, this.#name);
    this.#imported = false;
  }
}

function failed(status: number): boolean {
  return ((status >>> 0) & ERRORS) !== 0;
}

/** A status in words. */
function displayed(status: number, type: number): string[] {
  const made = open();
  if (made === null || status === 0) return [];
  const { ffi, library } = made;
  const minor = memory(4);
  const next = memory(4);
  const words: string[] = [];
  do {
    const text = new Sized(ffi, null);
    if (failed(library.gss_display_status(minor, status, type, null, next, text.struct))) break;
    // It may count the byte that ends a text of C.
    words.push(new TextDecoder().decode(text.filled(ffi)).replaceAll("\0", ""));
    library.gss_release_buffer(minor, text.struct);
  } while (next.some((byte) => byte !== 0) && words.length < MOST_WORDS);
  return words;
}
