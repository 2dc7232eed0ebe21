/** Address blocks whose forwarding fields are believed. */

/** A block: the address's bytes and how many leading bits count. */
interface Block {
  readonly bytes: readonly number[];
  readonly bits: number;
}

export class TrustedPeers {
  readonly #blocks: readonly Block[];

  /** @param blocks valid CIDR texts: `10.0.0.0/8`, `::1/128`; a bare address counts in full */
  constructor(blocks: readonly string[]) {
    this.#blocks = blocks.map((text) => {
      const [address = "", length] = text.split("/");
      const bytes = addressBytes(address) ?? [];
      return { bytes, bits: length === undefined ? bytes.length * 8 : Number(length) };
    });
  }

  /** Linear in the blocks; asked once per connection. `address` is an IP literal, or "" for Unix sockets. */
  has(address: string): boolean {
    if (this.#blocks.length === 0) return false;
    const bytes = addressBytes(address);
    if (bytes === null) return false;
    return this.#blocks.some((block) => inBlock(bytes, block));
  }
}

function inBlock(bytes: readonly number[], block: Block): boolean {
  if (bytes.length !== block.bytes.length) return false;
  for (let bit = 0; bit < block.bits; bit += 8) {
    const at = bit >> 3;
    const mask = block.bits - bit >= 8 ? 0xff : (0xff00 >> (block.bits - bit)) & 0xff;
    if (((bytes[at] as number) & mask) !== ((block.bytes[at] as number) & mask)) return false;
  }
  return true;
}

/** 4 or 16 bytes of an IP literal, an IPv4-mapped IPv6 address as 4; null for anything else. */
export function addressBytes(address: string): readonly number[] | null {
  if (!address.includes(":")) return ipv4Bytes(address);
  const bytes = ipv6Bytes(address.split("%")[0] as string);
  if (bytes === null) return null;
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  return mapped ? bytes.slice(12) : bytes;
}

function ipv4Bytes(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) {
    return null;
  }
  return parts.map(Number);
}

function ipv6Bytes(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = groupBytes(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? groupBytes(halves[1] as string, true) : [];
  if (head === null || tail === null) return null;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return null;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** @param atEnd the groups end the address, so the last one may be an IPv4 address */
function groupBytes(text: string, atEnd: boolean): number[] | null {
  if (text === "") return [];
  const bytes: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (atEnd && group.includes(".") && index === groups.length - 1) {
      const last = ipv4Bytes(group);
      if (last === null) return null;
      bytes.push(...last);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}
