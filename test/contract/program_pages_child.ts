/**
 * Started by program_pages_test.ts: works with the pages of its executable unmapped before each step, and prints how
 * many KiB of files were in memory before the first step and right after their pages were unmapped.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { gunzipSync, gzipSync } from "node:zlib";
import type { SocketEvents } from "../../runtime/contract/contract.ts";
import { adapterFactory } from "../support/adapter.ts";
import { OPTIONS } from "../support/listen_options.ts";

const runtime = (await adapterFactory())({
  onHandlerError: (error) => {
    throw error;
  },
});

/** KiB of mapped files in memory. */
function fileKib(): number {
  return Number(/^RssFile:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1]);
}

const SILENT: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };

/** A connection through the kernel and back; resolves with what the client received. */
async function exchange(text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const received = Promise.withResolvers<string>();
  const listener = await runtime.listen(OPTIONS, {
    accepted(socket) {
      socket.write(bytes, 0, bytes.length, true);
      socket.close();
      return SILENT;
    },
    acceptFailed: received.reject,
  });
  let heard = "";
  runtime.dial({ address: listener.address, timeoutMs: 10_000, tls: null }, {
    opened: (socket) => ({
      ...SILENT,
      data: (chunk) => void (heard += new TextDecoder().decode(chunk)),
      ended: () => socket.close(),
      closed: () => received.resolve(heard),
    }),
    failed: received.reject,
  });
  try {
    return await received.promise;
  } finally {
    await listener.close();
  }
}

const text = "unmapped ".repeat(1000);
const steps: readonly (() => boolean | Promise<boolean>)[] = [
  async () => await exchange(text) === text,
  () => gunzipSync(gzipSync(text)).toString() === text,
  () => createHash("sha256").update("abc").digest("hex").startsWith("ba7816bf8f01cfea"),
  () => new Intl.NumberFormat("en").format(1234567) === "1,234,567",
  () => /(?<=n)m(a+)p/u.test(text) && JSON.parse(JSON.stringify({ text })).text === text,
  () => execFileSync("echo", ["started"]).toString() === "started\n",
  () => new Function("a", "b", "return a ** b")(2, 10) === 1024,
  () => {
    runtime.releaseMemory();
    return true;
  },
  () => new Promise((resolve) => runtime.clock.setTimer(1, () => resolve(true))),
  async () => await exchange("again") === "again",
];

const before = fileKib();
runtime.releaseProgram?.();
const after = fileKib();
for (const [index, step] of steps.entries()) {
  runtime.releaseProgram?.();
  if (!await step()) throw new Error(`step ${index} went wrong`);
}
process.stdout.write(JSON.stringify({ before, after }) + "\n");
