/** Sluice as process 1 of a container, in a process namespace of its own. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { ScratchFolder, Serving } from "../smoke/program.ts";
import { childrenOf, ownProgram, until } from "../support/processes.ts";

/** As root, or as whoever may make user namespaces. */
const UNSHARE: readonly string[] = ["unshare", "-p", "-f", "--mount-proc", "--kill-child"];
const AS_USER: readonly string[] = ["unshare", "-U", "-r", "-p", "-f", "--mount-proc", "--kill-child"];

function works([program = "", ...args]: readonly string[]): boolean {
  return spawnSync(program, [...args, "true"], { stdio: "ignore", timeout: 10_000 }).status === 0;
}

const enter = process.platform !== "linux" ? undefined : [UNSHARE, AS_USER].find(works);
const skip = enter === undefined ? "process namespaces cannot be made here (unshare)" : false;
/** Node has no waitpid. */
const reaps = "Bun" in globalThis || "Deno" in globalThis;

/** Dead children of `pid` that it has not waited for. */
function zombiesOf(pid: number): number {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return state === "Z" && Number(parent) === pid;
    } catch {
      return false;
    }
  }).length;
}

test(
  "orphans of a command are waited for, and the dead of its group do not hold up a stop",
  { skip },
  async () => {
    const folder = new ScratchFolder();
    const [program = "", ...before] = [...enter ?? [], ...ownProgram()];
    // Each of the twenty outlives its parent by a moment.
    const orphans = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do (sleep 0.$i &); done";
    const script = `${orphans}; sleep 1.2; echo all of them are dead; exec sleep 600`;
    const sluice = await Serving.start(
      [program, ...before],
      ["--to", "127.0.0.1:9", "--control", "off", "--child-stop-timeout", "10m", "--", "sh", "-c", script],
      folder,
    );
    try {
      const init = childrenOf(sluice.pid)[0]?.pid ?? 0;
      assert.ok(init > 0);
      await sluice.said(/all of them are dead/);
      if (reaps) await until("them to be waited for", () => zombiesOf(init) === 0);
      else await sluice.said(/process 1: node cannot wait for what is orphaned.*--init/);
      process.kill(init, "SIGTERM");
      assert.equal((await sluice.ended).code, 0);
    } finally {
      sluice.kill();
      folder.remove();
    }
  },
);
