/** What the supervisor asks of several workers, as processes: all of them do it, also those that come later. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { runToEnd, ScratchFolder, Serving } from "../smoke/program.ts";
import { childrenOf, ownProgram, until } from "../support/processes.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";

const command = ownProgram();
const options = { skip: process.platform === "linux" ? false : "ports are shared evenly on Linux only" };

function get(target: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: workers.test\r\n\r\n`;
}

interface Scene {
  readonly sluice: Serving;
  readonly origins: readonly ScriptedOrigin[];
  readonly folder: ScratchFolder;
  /** Runs a verb. */
  verb(
    ...args: string[]
  ): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  config(text: string): void;
}

/** Two workers in front of two origins, of which the first serves. */
async function scene(act: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = new ScratchFolder();
  const origins = await Promise.all(
    ["a", "b"].map(async (name) => (await ScriptedOrigin.listen()).auto(({ target }) => name + target)),
  );
  let sluice: Serving | null = null;
  try {
    const config = (text: string) => writeFileSync(folder.file("sluice.yaml"), text);
    config(`to: "${origins[0]?.address}"\n`);
    const args = ["--config", "sluice.yaml", "--workers", "2", "--control", folder.file("control")];
    sluice = await Serving.start(command, args, folder);
    await act({
      sluice,
      origins,
      folder,
      config,
      verb: (...verb) => runToEnd(command, [...verb, "--control", folder.file("control")], folder.path),
    });
    await sluice.stop();
  } finally {
    sluice?.kill();
    for (const origin of origins) await origin.close();
    folder.remove();
  }
}

/** Asks on so many new connections that both workers get some. */
function askAll(port: number, target: string, count = 16): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, async () => (await askOnce(port, get(target))).text));
}

test("control: a pause holds in all workers, also in one that replaces another", options, async () => {
  await scene(async ({ sluice, verb }) => {
    assert.deepEqual(new Set(await askAll(sluice.port, "/1")), new Set(["a/1"]));
    const paused = await verb("pause", "--wait-idle", "5s");
    assert.equal(paused.code, 0, paused.stderr);
    const [victim] = childrenOf(sluice.pid).filter(({ args }) => args.includes("1/2"));
    assert.ok(victim !== undefined);
    process.kill(victim.pid, "SIGKILL");
    await sluice.said(/worker 1 serves again/);
    let answered = 0;
    const held = Promise.all(Array.from({ length: 16 }, async () => {
      const { text } = await askOnce(sluice.port, get("/2"));
      answered++;
      return text;
    }));
    let waiting = 0;
    while (waiting < 16) {
      const status = JSON.parse((await verb("status", "--json")).stdout);
      waiting = status.upstreams[0].waiting;
      assert.equal(status.upstreams[0].state, "paused");
    }
    assert.equal(answered, 0);
    assert.equal((await verb("resume")).code, 0);
    assert.deepEqual(new Set(await held), new Set(["a/2"]));
  });
});

test("control: a swap and a reload are done by all workers, and a bad file by none", options, async () => {
  await scene(async ({ sluice, origins, verb, config }) => {
    const [first, second] = origins;
    assert.ok(first !== undefined && second !== undefined);
    const keepAlive = await RawClient.connect(sluice.port);
    assert.equal((await keepAlive.ask(get("/0"))).text, "a/0");
    const swapped = await verb("swap", "--to", second.address);
    assert.equal(swapped.code, 0, swapped.stderr);
    assert.deepEqual(new Set(await askAll(sluice.port, "/1")), new Set(["b/1"]));
    assert.equal((await keepAlive.ask(get("/2"))).text, "b/2", "on a connection that was open before");

    config(`to: "${first.address}"\nhold: many\n`);
    const bad = await verb("reload");
    assert.equal(bad.code, 2, bad.stderr);
    assert.match(bad.stderr, /sluice\.yaml:2:.*hold/);

    const back = await verb("swap", "--to", first.address);
    assert.equal(back.code, 0, back.stderr);
    config(
      `upstreams: {app: {endpoints: ["${first.address}"], max_in_flight: 1}}\n` +
        `routes: [{to: app}, {match: {path: /b}, to: "${second.address}"}]\n`,
    );
    const good = await verb("reload");
    assert.equal(good.code, 0, good.stderr);
    assert.deepEqual(new Set(await askAll(sluice.port, "/4")), new Set(["a/4"]));
    assert.deepEqual(new Set(await askAll(sluice.port, "/b")), new Set(["b/b"]));
    for (const { pid } of childrenOf(sluice.pid)) process.kill(pid, "SIGKILL");
    await sluice.said(
      /worker 1 serves again[^]*worker 2 serves again|worker 2 serves again[^]*worker 1 serves again/,
    );
    assert.deepEqual(
      new Set(await askAll(sluice.port, "/5")),
      new Set(["a/5"]),
      "as it is now, not as it began",
    );
    keepAlive.destroy();
  });
});

test("control: limits that a reload brings hold over all workers", options, async () => {
  await scene(async ({ sluice, origins, verb, config }) => {
    const [first] = origins;
    assert.ok(first !== undefined);
    let serving = 0;
    let most = 0;
    first.auto(async () => {
      serving++;
      most = Math.max(most, serving);
      await new Promise((resolve) => setTimeout(resolve, 2));
      serving--;
      return "done";
    });
    for (const limit of [2, 1, 3]) {
      config(`to: "${first.address}"\nmax_in_flight: ${limit}\n`);
      assert.equal((await verb("reload")).code, 0);
      await until("nothing to be served", () => serving === 0);
      most = 0;
      const texts = await askAll(sluice.port, "/", 60);
      assert.ok(texts.every((text) => text === "done"));
      assert.ok(most <= limit, `${most} at a time, not ${limit}`);
    }
  });
});

test(
  "control: reopen is answered when all workers write to the new file, or with the reason",
  options,
  async () => {
    await scene(async ({ folder, config, origins }) => {
      const logs = folder.file("logs");
      mkdirSync(logs);
      config(`to: "${origins[0]?.address}"\naccess_log: {format: common, to: "${logs}/access"}\n`);
      const control = ["--control", folder.file("logging")];
      const logging = await Serving.start(
        command,
        ["--config", "sluice.yaml", "--workers", "2", ...control],
        folder,
      );
      const reopen = () => runToEnd(command, ["reopen", ...control], folder.path);
      try {
        await askAll(logging.port, "/before");
        renameSync(`${logs}/access`, `${logs}/access.1`);
        const reopened = await reopen();
        assert.equal(reopened.code, 0, reopened.stderr);
        const old = readFileSync(`${logs}/access.1`, "latin1");
        assert.equal(old.split("/before").length, 17);
        await askAll(logging.port, "/after");
        renameSync(logs, `${logs}.away`);
        const failed = await reopen();
        assert.equal(failed.code, 1);
        assert.match(failed.stderr, /could not be opened anew.*\n.*access_log\.to/);
        await logging.stop();
        assert.equal(readFileSync(`${logs}.away/access.1`, "latin1"), old, "nothing more in the old one");
        assert.equal(readFileSync(`${logs}.away/access`, "latin1").split("/after").length, 17);
      } finally {
        logging.kill();
      }
    });
  },
);
