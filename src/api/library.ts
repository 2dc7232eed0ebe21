/** What `import … from "sluice"` gives, on whatever platform. */

import type { Gate, OpenOptions, Platform } from "./api_types.ts";
import { openGate } from "./gate.ts";

export interface Library {
  /** Serves as `options` say, or throws a `ConfigError` or an `OpenError`: then no port is open. */
  open(this: void, options: OpenOptions): Promise<Gate>;
}

export function createLibrary(platform: Platform): Library {
  return {
    open: (options) => openGate(platform, options),
  };
}
