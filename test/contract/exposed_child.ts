/** Says where it exposes some bytes, and then never comes to anything again. */

import { writeSync } from "node:fs";
import { createSystem } from "../../runtime/shared/system.ts";

const exposed = createSystem().exposeBytes(64);
exposed?.bytes.set(new TextEncoder().encode("still here"), 8);
writeSync(1, `${exposed?.address ?? 0}\n`);
// The object is kept for as long as it is compared.
for (let turn = 0;; turn++) if (exposed !== null && exposed.bytes.length === 0) break;
