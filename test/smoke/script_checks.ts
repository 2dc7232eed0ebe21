/** Scripts in a finished Sluice: what they import, what a reload sees, faults with their places, and one that never ends. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { askOnce } from "../support/raw_client.ts";
import { type Command, runToEnd, type ScratchFolder, Serving } from "./program.ts";

const ROUTE = `import { respond, to } from "sluice";
import { word } from "./lib/word.ts";
import twice from "twice";
const answer = respond(200, twice(word), { "Content-Type": "text/plain" });
export const onRequest = (request: { path: string }) => {
  if (request.path === "/throw") throw new Error("as asked for");
  if (request.path === "/loop") for (;;);
  return request.path === "/word" ? answer : undefined;
};
`;

function write(folder: ScratchFolder, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(folder.file(name)), { recursive: true });
    writeFileSync(folder.file(name), text);
  }
}

function writeScript(folder: ScratchFolder): void {
  write(folder, {
    "route.ts": ROUTE,
    "lib/word.ts": 'export const word: string = "ho";\n',
    "node_modules/twice/package.json": '{"name": "twice", "main": "twice.js"}',
    "node_modules/twice/twice.js": "module.exports = (word) => word + word;\n",
  });
}

/** Programs that cannot import files say so, whatever is asked of them. */
async function refuses(command: Command, folder: ScratchFolder): Promise<boolean> {
  const { code, stderr } = await runToEnd(command, ["check", "--script", "route.ts"], folder.path);
  if (!stderr.includes("scripts cannot be used: ")) return false;
  assert.equal(code, 2);
  assert.match(stderr, /cannot import files from outside of it; use the executable for Bun/);
  return true;
}

async function ask(port: number, path: string): Promise<readonly [status: number, body: string]> {
  const { status, body } = await askOnce(port, `GET ${path} HTTP/1.1\r\nHost: smoke.test\r\n\r\n`);
  return [status, new TextDecoder().decode(body)];
}

async function serving(
  command: Command,
  folder: ScratchFolder,
  args: readonly string[],
  use: (sluice: Serving) => Promise<void>,
): Promise<void> {
  const sluice = await Serving.start(command, args, folder);
  try {
    await use(sluice);
    await sluice.stop();
  } finally {
    sluice.kill();
  }
}

export async function decides(command: Command, folder: ScratchFolder): Promise<void> {
  writeScript(folder);
  if (await refuses(command, folder)) return;
  await serving(command, folder, ["--script", "route.ts"], async (sluice) => {
    assert.deepEqual(await ask(sluice.port, "/word"), [200, "hoho"]);
    assert.equal((await ask(sluice.port, "/other"))[0], 404);
    assert.equal((await ask(sluice.port, "/throw"))[0], 500);
    await sluice.said(
      /script_error: Error: as asked for script=route\.ts in=onRequest at=\S*route\.ts:6:\d+/,
    );
    const reload = async () => await runToEnd(command, ["reload"], folder.path);
    write(folder, { "lib/word.ts": 'export const word: string = "he";\n' });
    assert.equal((await reload()).code, 0);
    assert.deepEqual(await ask(sluice.port, "/word"), [200, "hehe"]);
    write(folder, { "lib/word.ts": "export const words = 1;\n" });
    const { code, stderr } = await reload();
    assert.notEqual(code, 0);
    assert.match(stderr, /(?:^|[\s/])route\.ts:2:\d+: .*word/m);
    assert.deepEqual(await ask(sluice.port, "/word"), [200, "hehe"]);
    write(folder, { "lib/word.ts": 'export const word: string = "ha";\n' });
    assert.equal((await reload()).code, 0);
    assert.deepEqual(await ask(sluice.port, "/word"), [200, "haha"]);
  });
}

export async function faultsBeforeAPort(command: Command, folder: ScratchFolder): Promise<void> {
  writeScript(folder);
  if (await refuses(command, folder)) return;
  write(folder, { "lib/word.ts": '\nexport { word } from "./gone.ts";\n' });
  const portFile = folder.file("never");
  const args = ["--script", "route.ts", "--listen", "127.0.0.1:0", "--port-file", portFile];
  const { code, stderr } = await runToEnd(command, args, folder.path);
  assert.equal(code, 2, stderr);
  assert.match(stderr, /lib\/word\.ts:2:\d+: .*gone\.ts/);
  assert.equal(existsSync(portFile), false);
}

/** @param named the first hit is named, the second one answered, too */
export async function neverEnds(command: Command, folder: ScratchFolder, named: boolean): Promise<void> {
  writeScript(folder);
  if (await refuses(command, folder)) return;
  for (const workers of ["1", "2"]) {
    const args = ["--script", "route.ts", "--script-stall", "1s", "--workers", workers];
    await serving(command, folder, args, async (sluice) => {
      assert.deepEqual(await ask(sluice.port, "/word"), [200, "hoho"]);
      // It is lost with the worker that it has stopped.
      await ask(sluice.port, "/loop").catch(() => null);
      await sluice.said(/worker_back/);
      assert.deepEqual(await ask(sluice.port, "/word"), [200, "hoho"]);
      await sluice.said(/script_stalled: worker \d has not been heard of for \d s/);
      if (named) {
        await sluice.said(/script_stalled: worker .* script=route\.ts in=onRequest request="GET \/loop"/);
      }
      if (!named || workers !== "1") return;
      const [status, body] = await ask(sluice.port, "/loop");
      assert.equal(status, 500);
      assert.match(body, /script_stalled/);
      await sluice.said(/script_stalled: onRequest .* request="GET \/loop"/);
    });
  }
}
