/** Started by system_test.ts on Deno: handles SIGUSR1, and at SIGUSR2 ends as soon as no debugger is open. */
import inspector from "node:inspector";
import { createSystem } from "../../runtime/shared/system.ts";

const system = createSystem();
system.onSignal("SIGUSR1", () => {});
system.onSignal("SIGUSR2", () => {
  setInterval(() => {
    if (inspector.url() === undefined) system.exit(0);
  }, 10);
});
setInterval(() => {}, 1_000);
system.writeDescriptor(1, "ready\n");
