/** The folder that Sluice was started in is removed, as the one of an old release is. */

import assert from "node:assert/strict";
import { readFileSync, rmdirSync } from "node:fs";
import { test } from "node:test";
import { ScratchFolder, Serving } from "../smoke/program.ts";
import { childrenOf, ownProgram, until, untilGone } from "../support/processes.ts";
import { askOnce } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";

const GET = "GET / HTTP/1.1\r\nHost: folder.test\r\nConnection: close\r\n\r\n";

test("workers are replaced, and upgrades take place, in a folder that was removed", {
  skip: process.platform === "linux" ? false : "workers need Linux",
}, async () => {
  const folder = new ScratchFolder();
  const origin = (await ScriptedOrigin.listen()).auto(() => "ok");
  folder.make("release");
  const pidFile = folder.file("pid");
  const pid = () => Number(readFileSync(pidFile, "latin1"));
  const sluice = await Serving.start(
    ["sh", "-c", 'cd "$0" && exec "$@"', folder.file("release"), ...ownProgram()],
    ["--to", origin.address, "--workers", "2", "--pid-file", pidFile, "--control", folder.file("control")],
    folder,
  );
  try {
    const old = pid();
    rmdirSync(folder.file("release"));
    const [first] = childrenOf(old);
    process.kill(first?.pid ?? 0, "SIGKILL");
    await sluice.said(/worker \d serves again/);
    assert.equal((await askOnce(sluice.port, GET)).text, "ok");
    // Deno cannot give sockets away.
    if (!("Deno" in globalThis)) {
      process.kill(old, "SIGUSR2");
      await until("a successor", () => pid() !== old);
      await untilGone(old);
      assert.equal(childrenOf(pid()).length, 2);
      assert.equal((await askOnce(sluice.port, GET)).text, "ok");
    }
    process.kill(pid(), "SIGTERM");
    await sluice.ended;
  } finally {
    sluice.kill();
    await origin.close();
    folder.remove();
  }
});
