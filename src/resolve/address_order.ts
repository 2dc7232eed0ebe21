/** In which order the addresses of a name are tried (RFC 8305 §4). */

/** How long an address that failed, or was slow, is tried after the others. */
const AVOID_MS = 30_000;
/** Addresses that are remembered. */
const MOST_AVOIDED = 4096;

/** The families in turn, beginning with that of the first address; within a family the order stays. */
export function interleaved(addresses: readonly string[]): string[] {
  const isSix = (address: string) => address.includes(":");
  const [first] = addresses;
  if (first === undefined) return [];
  const preferred = addresses.filter((address) => isSix(address) === isSix(first));
  const others = addresses.filter((address) => isSix(address) !== isSix(first));
  return preferred.flatMap((address, at) => others[at] === undefined ? [address] : [address, others[at]])
    .concat(others.slice(preferred.length));
}

/** Remembers which addresses did not answer lately: each new connection would wait for them again. */
export class AddressMemory {
  readonly #avoidUntil = new Map<string, number>();

  /** As they are to be tried; none is left out. */
  inOrder(addresses: readonly string[], port: number, now: number): string[] {
    const order = interleaved(addresses);
    if (this.#avoidUntil.size === 0) return order;
    const avoided = (address: string) => (this.#avoidUntil.get(`${address} ${port}`) ?? -Infinity) > now;
    return [...order.filter((address) => !avoided(address)), ...order.filter(avoided)];
  }

  failed(address: string, port: number, now: number): void {
    if (this.#avoidUntil.size >= MOST_AVOIDED) this.#avoidUntil.clear();
    this.#avoidUntil.set(`${address} ${port}`, now + AVOID_MS);
  }

  answered(address: string, port: number): void {
    if (this.#avoidUntil.size > 0) this.#avoidUntil.delete(`${address} ${port}`);
  }
}
