/** hosts(5): names that need no name server. */

import { canonicalIp } from "../bytes/ip_address.ts";

/** Addresses by name in lower case, in the order of the file, each once. Lines without an address are passed over. */
export function parseHosts(text: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [word = "", ...names] = line.replace(/#.*$/, "").trim().split(/\s+/);
    const address = canonicalIp(word);
    if (address === null) continue;
    for (const written of names) {
      const name = written.toLowerCase();
      const addresses = found.get(name);
      if (addresses === undefined) found.set(name, [address]);
      else if (!addresses.includes(address)) addresses.push(address);
    }
  }
  return found;
}
