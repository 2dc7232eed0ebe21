/** Started by system_test.ts: writes to descriptor 3, which it inherited, and tells what went wrong. */
import { createSystem } from "../../runtime/shared/system.ts";

const system = createSystem();
for (const text of ["READY=1\n", "after it was closed\n"]) {
  try {
    system.writeDescriptor(3, text);
  } catch (error) {
    system.writeDescriptor(1, `${(error as { code?: unknown }).code}: ${text}`);
  }
}
