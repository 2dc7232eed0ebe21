/** A process with a script that does what it should not, all at once. Says what became of it on standard output, line by line. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { exitNow } from "../../runtime/shared/process_end.ts";
import { installLastResort } from "../../runtime/shared/last_resort.ts";
import { ownScripts } from "../support/own_scripts.ts";

const folder = process.argv[2] ?? "";
const lastResort = installLastResort();
const scripts = await ownScripts();
const path = join(folder, "route.ts");
writeFileSync(
  path,
  `export const reject = () => { void Promise.reject(new Error("rejected")); };
export const rejectText = () => { void Promise.reject("a text"); };
export const emit = (target: EventTarget) => target.addEventListener("x", () => { throw new Error("in an event"); });
export const exit = () => process.exit(7);
export const tick = () => process.nextTick(() => { throw new Error("in a tick"); });
`,
);
let told = 0;
const say = (line: string) => void process.stdout.write(`${line}\n`);
const module = await scripts.load(path, {}, {
  failed(phase, error) {
    const { words, places } = scripts.describe(error);
    say(`${phase} ${words} ${places[0] === undefined ? "" : places[0].slice(path.length)}`);
    if (++told === 3) end();
  },
  printed: () => {},
  guard: null,
});
const call = (name: string, ...args: unknown[]) =>
  (module.exports[name] as (...given: unknown[]) => unknown)(...args);

try {
  call("exit");
} catch (error) {
  say(`exit: ${scripts.describe(error).words}`);
}
call("reject");
setTimeout(() => call("rejectText"), 10);
setTimeout(() => call("tick"), 20);

function end(): void {
  // One of ours is still ours.
  say(`ours so far: ${lastResort.count}`);
  exitNow(3);
}
