/** `System`, `TextSink` and `Clock` on the runtime that runs the test. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { isIP } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { SystemError } from "../../runtime/contract/contract.ts";
import { notifyServiceManager } from "../../runtime/shared/sd_notify.ts";
import { createSystem } from "../../runtime/shared/system.ts";
import { within } from "../support/watchdog.ts";

const system = createSystem();
const ANY_SIZE = 1 << 30;

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-"));
  try {
    await body(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof SystemError && error.code === code;
}

test("texts are written in one step, read and removed", () =>
  inFolder(async (folder) => {
    const file = path.join(folder, "state");
    await system.writeText(file, "first");
    await system.writeText(file, "sécond ✓");
    assert.equal(await system.readText(file), "sécond ✓");
    assert.deepEqual(fs.readdirSync(folder), ["state"], "no temporary file is left");
    await system.remove(file);
    await system.remove(file);
    await assert.rejects(system.readText(file), hasCode("ENOENT"));
    await assert.rejects(system.writeText(path.join(folder, "none", "x"), ""), hasCode("ENOENT"));
    assert.deepEqual(fs.readdirSync(folder), []);
    fs.mkdirSync(file);
    await assert.rejects(system.writeText(file, "x"), SystemError);
    assert.deepEqual(fs.readdirSync(folder), ["state"]);
  }));

test("folders and what lies in them", () =>
  inFolder(async (folder) => {
    const path1 = path.join(folder, "private");
    assert.equal(await system.statusOf(path1), null);
    await system.makeFolder(path1);
    await assert.rejects(system.makeFolder(path1), hasCode("EEXIST"));
    const made = await system.statusOf(path1);
    assert.equal(made?.kind, "folder");
    assert.equal(made?.owner, system.userId);
    if (process.platform !== "win32") assert.equal(made?.mode, 0o700);
    const file = path.join(path1, "a");
    await system.writeText(file, "first", true);
    if (process.platform !== "win32") assert.equal((await system.statusOf(file))?.mode, 0o600);
    assert.deepEqual(await system.listFolder(path1), ["a"]);
    await assert.rejects(system.removeFolder(path1), SystemError);
    const first = await system.statusOf(file);
    assert.equal(first?.kind, "file");
    assert.equal((await system.statusOf(file))?.identity, first?.identity);
    const other = path.join(path1, "b");
    await system.writeText(other, "second");
    await system.allow(other, { mode: 0o600, owner: null, group: null });
    if (process.platform !== "win32") assert.equal((await system.statusOf(other))?.mode, 0o600);
    await system.rename(other, file);
    assert.equal(await system.readText(file), "second");
    assert.notEqual((await system.statusOf(file))?.identity, first?.identity);
    await assert.rejects(system.rename(other, file), hasCode("ENOENT"));
    await system.remove(file);
    fs.symlinkSync("nowhere", file);
    assert.equal((await system.statusOf(file))?.kind, "other");
    await system.remove(file);
    await system.removeFolder(path1);
    await assert.rejects(system.listFolder(path1), hasCode("ENOENT"));
  }));

test("writeDescriptor writes all and closes", () =>
  inFolder(async (folder) => {
    const file = path.join(folder, "ready");
    const fd = fs.openSync(file, "w");
    system.writeDescriptor(fd, "8080\n");
    assert.equal(await system.readText(file), "8080\n");
    assert.throws(() => system.writeDescriptor(fd, "x"), hasCode("EBADF"));
  }));

test("writeDescriptor writes to a descriptor that the process inherited", () =>
  inFolder(async (folder) => {
    const child = childCommand("./descriptor_child.ts", "").map((word) => `'${word}'`).join(" ");
    const file = path.join(folder, "ready");
    const closed = "EBADF: after it was closed\n";
    assert.equal(await outputOf(`${child} 3>'${file}'`), closed, "a file");
    assert.equal(fs.readFileSync(file, "utf8"), "READY=1\n");
    assert.equal(await outputOf(`(${child} 3>&1 >'${file}') | cat`), "READY=1\n", "a pipe");
    assert.equal(fs.readFileSync(file, "utf8"), closed);
    assert.equal(await outputOf(`exec ${child} 3>&1 >'${file}'`), "READY=1\n", "what spawn makes: a socket");
    assert.equal(fs.readFileSync(file, "utf8"), closed);
  }));

/** What a line of the shell prints. */
function outputOf(line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("sh", ["-c", line], (error, stdout) => error === null ? resolve(stdout) : reject(error));
  });
}

test("what the process is", () => {
  assert.equal(system.pid, process.pid);
  assert.equal(system.platform, process.platform);
  assert.equal(typeof system.isTerminal(0), "boolean");
  assert.ok(system.residentBytes() > 1_000_000);
  assert.ok(Array.isArray(system.args));
});

test("a signal reaches its handlers", async () => {
  // A handler alone does not keep Deno alive.
  const alive = setInterval(() => {}, 1_000);
  const arrived = new Promise<void>((resolve) => system.onSignal("SIGHUP", resolve));
  process.kill(process.pid, "SIGHUP");
  await arrived;
  clearInterval(alive);
});

test("SIGUSR1 leaves no debugger open, as Deno would", async () => {
  // Node and Bun open none when the signal is handled.
  if (!("Deno" in globalThis)) return;
  const [program, ...args] = childCommand("./signal_child.ts", "");
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  // `child.kill` of Deno sends one signal and no more.
  const send = (signal: NodeJS.Signals) => process.kill(child.pid ?? 0, signal);
  // Deno listens for the signal half a second after its start.
  let signals: ReturnType<typeof setInterval> | null = null;
  child.stdout.once("data", () => (signals = setInterval(() => send("SIGUSR1"), 50)));
  child.stderr.on("data", (bytes: Uint8Array) => {
    // The port may be in use, by somebody's debugger.
    if (!/Debugger listening|inspector/i.test(new TextDecoder().decode(bytes))) return;
    if (signals !== null) clearInterval(signals);
    send("SIGUSR2");
  });
  try {
    assert.equal((await within(outcome(child), "the debugger to close")).code, 0);
  } finally {
    if (signals !== null) clearInterval(signals);
    child.kill("SIGKILL");
  }
});

test("a sink keeps the order and appends", () =>
  inFolder(async (folder) => {
    const file = path.join(folder, "log");
    fs.writeFileSync(file, "before\n");
    const sink = await system.openSink(file, ANY_SIZE);
    let expected = "before\n";
    for (let i = 0; i < 20_000; i++) {
      const line = `line ${i} ü\n`;
      sink.write(line);
      expected += line;
      if (i % 5_000 === 0) await sink.flush();
    }
    await sink.flush();
    assert.equal(await system.readText(file), expected);
    assert.equal(sink.dropped, 0);
    await sink.flush();
    await assert.rejects(system.openSink(path.join(folder, "none", "x"), 1), hasCode("ENOENT"));
  }));

test("flushNow writes what waits, behind what is on its way", () =>
  inFolder(async (folder) => {
    const file = path.join(folder, "log");
    const sink = await system.openSink(file, ANY_SIZE);
    const big = "x".repeat(1_000_000);
    sink.write(big);
    await new Promise((resolve) => setTimeout(resolve, 0));
    sink.write("end");
    sink.flushNow();
    assert.equal(fs.readFileSync(file, "utf8"), big + "end");
    sink.write("!");
    await sink.flush();
    assert.equal(fs.readFileSync(file, "utf8"), big + "end!");
  }));

test("a sink that is full drops and counts", () =>
  inFolder(async (folder) => {
    const file = path.join(folder, "log");
    const sink = await system.openSink(file, 10);
    for (const text of ["12345", "1234567", "67890", "x"]) sink.write(text);
    assert.deepEqual([sink.dropped, sink.dropCause], [2, "its target does not keep up"]);
    await sink.flush();
    sink.write("more");
    await sink.flush();
    assert.equal(fs.readFileSync(file, "utf8"), "1234567890more");
  }));

test("a sink whose disk is full says so", {
  skip: fs.existsSync("/dev/full") ? false : "there is no /dev/full here",
}, async () => {
  const sink = await system.openSink("/dev/full", ANY_SIZE);
  sink.write("lost");
  await sink.flush();
  assert.equal(sink.dropped, 1);
  assert.match(sink.dropCause, /no space left/i);
});

test("a flush with patience gives up on a reader that has stopped, and goes on while one is merely slow", {
  skip: process.platform === "win32" ? "there are no named pipes" : false,
}, () =>
  inFolder(async (folder) => {
    const pipe = path.join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const reader = fs.openSync(pipe, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    const buffer = new Uint8Array(65_536);
    try {
      const slow = await system.openSink(pipe, ANY_SIZE);
      slow.write("x".repeat(400_000));
      const reading = setInterval(() => fs.readSync(reader, buffer), 20);
      assert.equal(await slow.flush({ stalledMs: 5_000, mostMs: 60_000 }), true);
      clearInterval(reading);
      const stuck = await system.openSink(pipe, ANY_SIZE);
      stuck.write("x".repeat(400_000));
      assert.equal(await stuck.flush({ stalledMs: 50, mostMs: 60_000 }), false);
      assert.deepEqual([stuck.dropped, stuck.dropCause], [1, "its target does not keep up"]);
      stuck.write("later");
      assert.equal(stuck.dropped, 2);
      assert.equal(await stuck.flush({ stalledMs: 50, mostMs: 60_000 }), false);
    } finally {
      fs.closeSync(reader);
    }
  }));

test("after reopen the old file is complete and the new one receives", () =>
  inFolder(async (folder) => {
    const [file, rotated] = [path.join(folder, "log"), path.join(folder, "log.1")];
    const sink = await system.openSink(file, ANY_SIZE);
    sink.write("old ".repeat(100_000));
    fs.renameSync(file, rotated);
    const reopened = sink.reopen();
    sink.write("new");
    await reopened;
    await sink.flush();
    assert.equal(fs.readFileSync(rotated, "utf8"), "old ".repeat(100_000));
    assert.equal(fs.readFileSync(file, "utf8"), "new");
  }));

// Runtimes give a child a pair of sockets when they are asked for a pipe.

test("standard output is a socket: one that is read, one that is closed, one that is stuck", async () => {
  const read = startChild("pipe", 300_000);
  let length = 0;
  read.stdout?.on("data", (bytes: Uint8Array) => (length += bytes.length));
  assert.deepEqual(await outcome(read), { code: 0, report: "dropped 0" });
  assert.equal(length, 300_000);

  const closed = startChild("pipe", 300_000);
  closed.stdout?.destroy();
  assert.equal((await outcome(closed, "exit")).code, 0, "EPIPE ends nothing");

  const stuck = startChild("pipe", 3_000_000);
  assert.equal((await outcome(stuck, "exit")).code, 0, "exit does not wait for a reader that does not read");
});

test("what the next turn is to do is done, though nothing else goes on and the timer keeps no process", async () => {
  const [program, ...args] = childCommand("./next_turn_child.ts", "");
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  assert.deepEqual(await within(outcome(child), "its end"), { code: 0, report: "done" });
});

test("standard output is a file, which is appended to", () =>
  inFolder(async (folder) => {
    const file = path.join(folder, "out");
    fs.writeFileSync(file, "before ");
    const fd = fs.openSync(file, "a");
    assert.equal((await outcome(startChild(fd, 300_000))).code, 0);
    fs.closeSync(fd);
    assert.equal(fs.statSync(file).size, 300_007);
  }));

test("standard output is a pipe: one that is read, one that is closed, one that is stuck", () =>
  inFolder(async (folder) => {
    const script = childCommand("./stdout_child.ts", "1000000").map((word) => `'${word}'`).join(" ");
    const file = path.join(folder, "out");
    const readers = [`cat > ${file}`, "true", "sleep 0.4"];
    for (const reader of readers) {
      const shell = spawn("sh", ["-c", `${script} | ${reader}`], { stdio: ["ignore", "ignore", "pipe"] });
      const { code, report } = await outcome(shell);
      assert.equal(code, 0);
      // It came to its end, whatever became of its output.
      assert.match(report, /^dropped \d+$/);
    }
    assert.equal(fs.statSync(file).size, 1_000_000);
  }));

test("what a process exposes can be read while it is in a loop that never ends", async () => {
  const [program, ...args] = childCommand("./exposed_child.ts", "");
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const told = Promise.withResolvers<number>();
    child.stdout.once("data", (bytes: Uint8Array) => told.resolve(Number(new TextDecoder().decode(bytes))));
    const address = await within(told.promise, "its address");
    const pid = child.pid ?? 0;
    // Node tells no addresses, and there is no /proc elsewhere.
    const can = process.platform === "linux" && ("Bun" in globalThis || "Deno" in globalThis);
    assert.equal(address > 0, can);
    if (can) {
      const bytes = system.readExposed(pid, address, 64);
      assert.ok(bytes !== null);
      assert.equal(new TextDecoder().decode(bytes.subarray(8, 18)), "still here");
    }
    assert.equal(system.readExposed(pid, 16, 64), null, "nothing is mapped there");
    assert.equal(system.readExposed(2 ** 30, 4096, 64), null, "there is no such process");
  } finally {
    child.kill("SIGKILL");
  }
});

/** Writes `bytes` to standard output and says on standard error how many pieces were dropped. */
function startChild(stdout: "pipe" | number, bytes: number): ChildProcess {
  const [program, ...args] = childCommand("./stdout_child.ts", String(bytes));
  return spawn(program, args, { stdio: ["ignore", stdout, "pipe"] });
}

function childCommand(file: string, argument: string): [string, ...string[]] {
  const script = fileURLToPath(new URL(file, import.meta.url));
  const words = "Deno" in globalThis ? ["run", "-A", "--no-check", script] : [script];
  return [process.execPath, ...words, argument];
}

/** @param until "exit" for one whose pipe is still open then, since somebody is stuck; what it said may not be here yet */
function outcome(
  child: ChildProcess,
  until: "exit" | "close" = "close",
): Promise<{ code: number | null; report: string }> {
  let report = "";
  child.stderr?.on("data", (bytes: Uint8Array) => (report += new TextDecoder().decode(bytes)));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on(until, (code) => resolve({ code, report: report.trim() }));
  });
}

test("a service manager that is not there is not notified", async () => {
  assert.equal(await notifyServiceManager("", "READY=1"), false);
  assert.equal(await notifyServiceManager("relative/path", "READY=1"), false);
  assert.equal(await notifyServiceManager("/nonexistent/notify", "READY=1"), false);
  assert.equal(await notifyServiceManager("@sluice-nobody-listens-here", "READY=1"), false);
  assert.equal(await notifyServiceManager(`@${"x".repeat(200)}`, "READY=1"), false);
});

test("the addresses of the interfaces are IP literals, loopback among them", () => {
  const addresses = system.interfaceAddresses();
  for (const address of addresses) assert.notEqual(isIP(address), 0, address);
  assert.ok(addresses.includes("127.0.0.1"), addresses.join(" "));
});

test("the limit on open files is told where it is known", () => {
  const limit = system.descriptorLimit;
  if (process.platform === "linux") assert.ok(Number.isInteger(limit) && limit > 10, String(limit));
  else assert.equal(limit, Infinity);
});

test("digests are those of their standards", () => {
  const hex = (bytes: Uint8Array): string =>
    [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const { digests } = system;
  assert.equal(hex(digests.digest("md5", bytes("abc"))), "900150983cd24fb0d6963f7d28e17f72");
  assert.equal(hex(digests.digest("sha1", bytes("abc"))), "a9993e364706816aba3e25717850c26c9cd0d89d");
  assert.equal(
    hex(digests.digest("sha256", bytes("abc"))),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  assert.equal(
    hex(digests.digest("sha512", new Uint8Array(0))),
    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce" +
      "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
  );
  // RFC 4231 §4.3
  assert.equal(
    hex(digests.hmacSha256(bytes("Jefe"), bytes("what do ya want for nothing?"))),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  );
  const first = digests.digest("md5", bytes("a"));
  digests.digest("md5", bytes("b"));
  assert.deepEqual(first, digests.digest("md5", bytes("a")), "each has an array of its own");
});
