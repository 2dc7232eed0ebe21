import assert from "node:assert/strict";
import * as fs from "node:fs";
import { createServer } from "node:net";
import * as path from "node:path";
import { test } from "node:test";
import type { Address, Runtime } from "../../../runtime/contract/contract.ts";
import { controlRoutes } from "../../../src/admin/control_api.ts";
import { type ControlOptions, ControlSocket } from "../../../src/serve/control_socket.ts";
import { askOnce } from "../../support/raw_client.ts";
import { VerbLab as Lab } from "../../support/verb_lab.ts";

const unixOnly = { skip: process.platform === "win32" ? "there are no Unix sockets" : false };
const LISTENER: Address = { kind: "tcp", host: "127.0.0.1", port: 8080 };

function optionsOf(lab: Lab, more: Partial<ControlOptions> = {}): ControlOptions {
  return {
    control: null,
    listeners: [LISTENER],
    routes: controlRoutes(lab.plane),
    onError: (error) => {
      throw error;
    },
    ...more,
  };
}

async function opened(lab: Lab, more: Partial<ControlOptions> = {}, runtime: Runtime = lab.runtime) {
  const result = await ControlSocket.open(runtime, lab.system(), optionsOf(lab, more));
  assert.equal(result.kind, "open", JSON.stringify(result));
  return (result as { readonly socket: ControlSocket }).socket;
}

test(
  "a socket is ours alone, answers HTTP, and is removed in the end",
  unixOnly,
  () =>
    Lab.use(async (lab) => {
      const socket = await opened(lab);
      assert.equal(socket.path, path.join(lab.folder, "sluice-8080.sock"));
      assert.equal(fs.statSync(socket.path).mode & 0o777, 0o600);
      assert.deepEqual(fs.readdirSync(lab.folder), ["sluice-8080.sock"]);
      const status = await askOnce({ path: socket.path }, "GET /status HTTP/1.1\r\nHost: sluice\r\n\r\n");
      assert.equal(JSON.parse(status.text).pid, 4711);
      await socket.close(0);
      assert.deepEqual(fs.readdirSync(lab.folder), []);
    }),
);

test("names without a TCP listener, and no socket at all", unixOnly, () =>
  Lab.use(async (lab) => {
    const socket = await opened(lab, { listeners: [{ kind: "unix", path: "/x" }] });
    assert.equal(path.basename(socket.path), `sluice-pid${process.pid}.sock`);
    await socket.close(0);
    const off = await ControlSocket.open(lab.runtime, lab.system(), optionsOf(lab, { control: "off" }));
    assert.deepEqual(off, { kind: "none" });
  }));

test(
  "one that answers is never stolen, unless it hands its place over",
  unixOnly,
  () =>
    Lab.use(async (lab) => {
      const first = await opened(lab);
      const skipped = await ControlSocket.open(lab.runtime, lab.system(), optionsOf(lab));
      assert.equal(skipped.kind, "skipped");
      const failed = await ControlSocket.open(
        lab.runtime,
        lab.system(),
        optionsOf(lab, { control: first.path }),
      );
      assert.ok(failed.kind === "failed" && /another program answers there/.test(failed.why));
      const heir = await opened(lab, { takeOver: true });
      await first.close(0);
      // What was taken over is not removed by who had it before.
      assert.equal((await lab.sluice("status")).code, 0);
      await heir.close(0);
      assert.equal(fs.existsSync(heir.path), false);
    }),
);

test("another program's socket and other files stay", unixOnly, () =>
  Lab.use(async (lab) => {
    const foreign = path.join(lab.folder, "sluice-8080.sock");
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(foreign, resolve));
    const skipped = await ControlSocket.open(lab.runtime, lab.system(), optionsOf(lab));
    assert.equal(skipped.kind, "skipped");
    assert.ok(fs.existsSync(foreign));
    await new Promise((resolve) => server.close(resolve));
    for (const make of [() => fs.writeFileSync(foreign, "x"), () => fs.mkdirSync(foreign)]) {
      make();
      const result = await ControlSocket.open(
        lab.runtime,
        lab.system(),
        optionsOf(lab, { control: foreign }),
      );
      assert.equal(result.kind, "failed");
      assert.ok(fs.existsSync(foreign));
      fs.rmSync(foreign, { recursive: true });
    }
    fs.symlinkSync("/nowhere/at/all", foreign);
    const linked = await ControlSocket.open(lab.runtime, lab.system(), optionsOf(lab));
    assert.equal(linked.kind, "skipped");
    assert.deepEqual(fs.readdirSync(lab.folder), ["sluice-8080.sock"]);
  }));

test("a folder that is not ours alone is not used", unixOnly, () =>
  Lab.use(async (lab) => {
    const runtimeFolder = path.join(lab.folder, "run");
    const temporary = path.join(lab.folder, "tmp");
    fs.mkdirSync(runtimeFolder);
    fs.mkdirSync(temporary);
    fs.chmodSync(runtimeFolder, 0o777);
    lab.env = { XDG_RUNTIME_DIR: runtimeFolder, TMPDIR: temporary };
    const uid = process.getuid?.() ?? 0;
    const socket = await opened(lab);
    assert.equal(socket.path, path.join(temporary, `sluice-${uid}`, "sluice-8080.sock"));
    assert.equal(fs.statSync(path.dirname(socket.path)).mode & 0o777, 0o700);
    assert.equal((await lab.sluice("status")).code, 0, "verbs look there, too");
    await socket.close(0);
    fs.chmodSync(path.dirname(socket.path), 0o770);
    const skipped = await ControlSocket.open(lab.runtime, lab.system(), optionsOf(lab));
    assert.ok(skipped.kind === "skipped" && /can be written to by other users/.test(skipped.why));
  }));

test("without Unix sockets: a port of this machine, and a secret in a file that is ours alone", () =>
  Lab.use(async (lab) => {
    const { runtime } = lab;
    const without: Runtime = {
      name: runtime.name,
      version: runtime.version,
      capabilities: { ...runtime.capabilities, unixSockets: false },
      clock: runtime.clock,
      listen: (options, events) => runtime.listen(options, events),
      reserve: (options) => runtime.reserve(options),
      dial: (options, events) => runtime.dial(options, events),
      secure: (options, events) => runtime.secure(options, events),
      openDatagrams: (options, events) => runtime.openDatagrams(options, events),
      resolve: (host) => runtime.resolve(host),
      releaseMemory: () => runtime.releaseMemory(),
      discard: runtime.discard,
    };
    const socket = await opened(lab, {}, without);
    if (process.platform !== "win32") assert.equal(fs.statSync(socket.path).mode & 0o777, 0o600);
    assert.equal((await lab.sluice("status")).code, 0);
    const [, at = "", secret = ""] = fs.readFileSync(socket.path, "latin1").trim().split(" ");
    const port = Number(at.split(":")[1]);
    const ask = (fields: string) => askOnce(port, `GET /status HTTP/1.1\r\nHost: x\r\n${fields}\r\n`);
    assert.equal((await ask(`Authorization: Bearer ${secret}\r\n`)).status, 200);
    for (const wrong of ["", `Authorization: Bearer ${secret}0\r\n`, "Authorization: Bearer\r\n"]) {
      const refused = await ask(wrong);
      assert.equal(refused.status, 403);
      assert.equal(JSON.parse(refused.text).error, "forbidden");
    }
    const skipped = await ControlSocket.open(without, lab.system(), optionsOf(lab));
    assert.equal(skipped.kind, "skipped");
    await socket.close(0);
    assert.equal(fs.existsSync(socket.path), false);
    // A dead one is replaced.
    fs.writeFileSync(socket.path, `sluice-control 127.0.0.1:${port} ${secret}\n`);
    const next = await opened(lab, {}, without);
    await next.close(0);
  }));
