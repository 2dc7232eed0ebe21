/** A listener of plain TCP, on a port that the kernel chooses. */

import type { ListenOptions } from "../../runtime/contract/contract.ts";

export const OPTIONS = {
  address: { kind: "tcp", host: "127.0.0.1", port: 0 },
  backlog: 16,
  reusePort: false,
  tls: null,
  handshakeTimeoutMs: 1_000,
} as const satisfies ListenOptions;
