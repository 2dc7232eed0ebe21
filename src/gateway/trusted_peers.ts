/** Address blocks whose forwarding fields are believed. */

import { inBlock, type IpBlock, ipBytes, parseBlock } from "../bytes/ip_address.ts";

export class TrustedPeers {
  readonly #blocks: readonly IpBlock[];

  /** @param blocks valid CIDR texts: `10.0.0.0/8`, `::1/128`; a bare address counts in full */
  constructor(blocks: readonly string[]) {
    this.#blocks = blocks.map(parseBlock).filter((block) => block !== null);
  }

  /** Linear in the blocks; asked once per connection. `address` is an IP literal, or "" for Unix sockets. */
  has(address: string): boolean {
    if (this.#blocks.length === 0) return false;
    const bytes = ipBytes(address);
    return bytes !== null && this.#blocks.some((block) => inBlock(bytes, block));
  }
}
