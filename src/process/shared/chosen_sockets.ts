/** Who makes the system calls of a process, and how that is told. */

/** What `sockets` has come to in one process. */
export interface ChosenSockets {
  readonly kind: "native" | "epoll";
  /** Why `auto` did not choose epoll; "" when it did, or when nothing was left to choose. */
  readonly reason: string;
}

/** `epoll`, `native`, or `native, since …`. */
export function socketsWords({ kind, reason }: ChosenSockets): string {
  return reason === "" ? kind : `${kind}, since epoll cannot be had: ${reason}`;
}

/** Of several workers: each answer once, with the workers that gave it where they differ. "" before any has one. */
export function socketsSummary(
  workers: readonly { readonly worker: number; readonly sockets: ChosenSockets | null }[],
): string {
  const byWords = new Map<string, number[]>();
  for (const { worker, sockets } of workers) {
    if (sockets == null) continue;
    const words = socketsWords(sockets);
    byWords.set(words, [...byWords.get(words) ?? [], worker]);
  }
  if (byWords.size <= 1) return [...byWords.keys()].join();
  return [...byWords].map(([words, of]) => `${words} (worker ${of.join(", ")})`).join("; ");
}
