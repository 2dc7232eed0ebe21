/** Started by system_test.ts: argument 1 is the number of bytes to write to standard output. */
import { createSystem } from "../../runtime/shared/system.ts";

const system = createSystem();
const sink = await system.openSink(1, 1 << 30);
const line = `${"x".repeat(99)}\n`;
for (let left = Number(system.args[0]); left > 0; left -= line.length) sink.write(line.slice(0, left));
await new Promise((resolve) => setTimeout(resolve, 10));
sink.write("");
sink.flushNow();
system.writeDescriptor(2, `dropped ${sink.dropped}`);
system.exit(0);
