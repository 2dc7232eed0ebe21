/**
 * Runs examples/deploy.sh against a Sluice that serves, under load, reloads two hundred times, and lets two operators change
 * another Sluice at once:
 *
 *     bun test/smoke/deploy.ts dist/sluice
 *
 * Prints `ok name` or `FAIL name: why` for every check and exits 1 when one failed.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { PATIENT_DRAIN_SECONDS, soakOperators } from "../../scripts/support/soak_operators.ts";
import { freePort } from "../support/free_port.ts";
import { childrenOf, untilGone } from "../support/processes.ts";
import { DeployLoad } from "./deploy_load.ts";
import { runToEnd, ScratchFolder, Serving } from "./program.ts";

const WEB_SOCKETS = 100;
const RELOADS = 200;
const COMMAND_RESTARTS = 5;
/** `npm run soak -- --only operators` has more of them. */
const OPERATOR_ROUNDS = 12;
/** Reloads before memory is looked at, and how much more it may be after all. */
const WARM_UP_RELOADS = 50;
const MOST_GROWTH_KIB = 32 * 1024;
const SCRIPT_PATIENCE_MS = 60_000;

const root = fileURLToPath(new URL("../../", import.meta.url));
const sluice = resolve(process.argv[2] ?? "dist/sluice");
const folder = new ScratchFolder();
const pidFile = folder.file("pid");
let failed = 0;

async function check(name: string, act: () => Promise<string>): Promise<void> {
  try {
    console.log(`ok ${name} (${await act()})`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function deploy(version: string, env: Readonly<Record<string, string>>): Promise<string> {
  const app = `'${process.execPath}' '${root}test/support/deploy_program.ts' ${version}`;
  const PATH = process.env["PATH"] ?? "";
  return script(["deploy.sh", app], { PATH, SLUICE: sluice, UPSTREAM: "app", DRAIN: "3s", ...env });
}

/** Runs one of the examples to its end. What it starts in the background goes on. */
function script(
  [name = "", ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn("sh", [`${root}examples/${name}`, ...args], {
    cwd: folder.path,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stdout.on("data", (bytes) => said += String(bytes));
  child.stderr.on("data", (bytes) => said += String(bytes));
  const timer = setTimeout(() => child.kill("SIGKILL"), SCRIPT_PATIENCE_MS);
  return new Promise((done, fail) => {
    child.on("exit", (code) => {
      clearTimeout(timer);
      if (code === 0) done(said);
      else fail(new Error(`${name} ended with ${code}: ${said}`));
    });
  });
}

async function verb(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(
    [sluice],
    [...words, "--control", folder.file("run/control")],
    folder.path,
  );
  if (code !== 0) throw new Error(`sluice ${words.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

/** Resident memory in KiB and open descriptors of the Sluice that serves; null where there is no /proc. */
function resources():
  | { readonly kib: number; readonly descriptors: number; readonly processes: number }
  | null {
  const pid = readFileSync(pidFile, "latin1").trim();
  if (!existsSync(`/proc/${pid}/fd`)) return null;
  const kib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
  return {
    kib,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    processes: childrenOf(Number(pid)).length,
  };
}

function assertNoFailure(load: DeployLoad): void {
  const { failures } = load;
  assert.equal(
    failures.length,
    0,
    `${failures.length} failures: ${[...new Set(failures)].slice(0, 5).join("; ")}`,
  );
}

const [first, second] = [await freePort(), await freePort()];
const ports = { PORTS: `${first} ${second}` };
const config = (seconds: number) =>
  `drain_timeout: 3s\nupstreams:\n  app: {endpoints: [${first}], hold: ${seconds}s}\nroutes:\n  - to: app\n`;
const file = folder.file("sluice.yaml");
writeFileSync(file, config(30));
let serving: Serving | null = null;
try {
  const args = ["--config", file, "--pid-file", pidFile, "--control", "run/control"];
  folder.make("run");
  serving = await Serving.start([sluice], args, folder);
  const { port } = serving;
  await check("the first deployment", async () => {
    await deploy("1", ports);
    return "started";
  });
  const load = new DeployLoad(port, WEB_SOCKETS);
  await check("restart.sh and nightly.sh under load", async () => {
    folder.make("bin");
    symlinkSync(sluice, folder.file("bin/sluice"));
    const env = {
      PATH: `${folder.file("bin")}:${process.env["PATH"] ?? ""}`,
      SLUICE_CONTROL: folder.file("run/control"),
    };
    await script(["restart.sh", "sleep", "0.2"], env);
    await script(["nightly.sh", `127.0.0.1:${first}`, "sleep", "0.2"], env);
    assertNoFailure(load);
    return `${load.answered} requests, 0 failures`;
  });
  await check("deployments under load: swap, with-pause, reload, upgrade", async () => {
    const before = Number(readFileSync(pidFile, "latin1"));
    await deploy("2", { ...ports, MIGRATE: "sleep 1", SLUICE_BINARY: sluice });
    await deploy("3", { ...ports, MIGRATE: "sleep 1" });
    await untilGone(before);
    assertNoFailure(load);
    assert.deepEqual([...load.versions].sort(), ["version 1", "version 2", "version 3"]);
    assert.notEqual(Number(readFileSync(pidFile, "latin1")), before);
    return `${load.answered} requests, ${load.echoes} echoes, ${load.told} WebSockets told to go, 0 failures`;
  });
  await check(`${RELOADS} reloads under load`, async () => {
    // They are told to go by deployments; now nothing has a reason to.
    const told = load.told;
    let before = resources();
    for (let i = 0; i < RELOADS; i++) {
      if (i === WARM_UP_RELOADS) before = resources();
      writeFileSync(file, config(31 + i % 2));
      await verb("reload");
    }
    const after = resources();
    assertNoFailure(load);
    assert.equal(load.told, told, "WebSockets that were told to go");
    if (before === null || after === null) return "no /proc here to see memory";
    const grown = after.kib - before.kib;
    assert.ok(grown < MOST_GROWTH_KIB, `${grown} KiB more memory`);
    // Connections come and go.
    assert.ok(
      after.descriptors < before.descriptors + 20,
      `${before.descriptors} → ${after.descriptors} descriptors`,
    );
    assert.equal(after.processes, before.processes);
    return `${grown} KiB, ${after.descriptors - before.descriptors} descriptors more`;
  });
  await load.stop();
  const seed = Number(process.env["SLUICE_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  for (const scripted of [false, true]) {
    const name = `two operators at once${scripted ? ", and a script" : ""}`;
    await check(`${name}, ${OPERATOR_ROUNDS} rounds each, seed ${seed}`, async () => {
      const sockets = process.env["SLUICE_SOCKETS"] === "epoll" ? "epoll" : "native";
      const told: string[] = [];
      const say = (line: string) => void told.push(line);
      const options = { program: sluice, sockets, workers: 1, scripted, seed, say } as const;
      await soakOperators(options, OPERATOR_ROUNDS, PATIENT_DRAIN_SECONDS);
      return told.join("; ");
    });
  }
  await check("a command of Sluice's own, restarted under load", async () => {
    const app = [process.execPath, `${root}test/support/deploy_program.ts`, "supervised"];
    const own = await Serving.start(
      [sluice],
      ["--to", "auto", "--control", "run/supervised", "--", ...app],
      folder,
    );
    try {
      const load = new DeployLoad(own.port, 0);
      const control = ["--control", folder.file("run/supervised")];
      for (let times = 0; times < COMMAND_RESTARTS; times++) {
        const { code, stderr } = await runToEnd([sluice], ["restart", ...control], folder.path);
        if (code !== 0) throw new Error(`sluice restart ended with ${code}: ${stderr}`);
      }
      await load.stop();
      assertNoFailure(load);
      await own.stop();
      return `${COMMAND_RESTARTS} restarts, ${load.answered} requests, 0 failures`;
    } finally {
      own.kill();
    }
  });
} catch (error) {
  failed++;
  console.log(`FAIL ${error instanceof Error ? error.stack : String(error)}`);
} finally {
  for (const name of [pidFile, folder.file("run/app.pid")]) {
    try {
      process.kill(Number(readFileSync(name, "latin1")), "SIGKILL");
    } catch {
      // It has ended.
    }
  }
  serving?.kill();
  folder.remove();
}
process.exit(failed === 0 ? 0 : 1);
