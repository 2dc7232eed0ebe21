/**
 * System calls that the kernel itself makes fail, under the real program: strace(1) is attached to a Sluice that
 * serves, one call of one name fails once, and what becomes of the requests is judged as in the tests of the adapter.
 * The same process serves through all of it.
 *
 *     npm run faults                                  dist/sluice
 *     npm run faults -- --only accept4,epoll_ctl
 *     npm run faults -- --deploy                      the deploy step, with faults that nobody may notice all the time
 *     npm run faults -- "$PWD/node_modules/.bin/bun" "$PWD/runtime/main_bun.ts"
 *
 * What `npm test` does instead, in process and without ptrace(2): test/unit/runtime/bun/epoll/faults_test.ts.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { type Command, ScratchFolder, Serving } from "../test/smoke/program.ts";
import { FaultScene } from "../test/support/fault_scene.ts";
import { within } from "../test/support/watchdog.ts";
import { root, tool } from "./support/child.ts";
import { ROUNDS, wordsOf, writeFaulty } from "./support/faulty_program.ts";

/**
 * As the kernel has them: recv(3) is recvfrom(2), send(3) is sendto(2). Not close(2): strace leaves out the call that it
 * makes fail, and no kernel answers an error with the descriptor still open.
 */
const CALLS = [
  "epoll_wait",
  "epoll_pwait",
  "epoll_ctl",
  "accept4",
  "socket",
  "connect",
  "recvfrom",
  "sendto",
  "shutdown",
  "getsockopt",
  "setsockopt",
  "getsockname",
  "getpeername",
];
const ERRORS = ["EINTR", "EAGAIN", "ENOBUFS", "EMFILE", "ECONNABORTED", "EPIPE", "ENOMEM"];
/** Which call of each thread fails. */
const TURNS = [1, 2, 5];

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { only: { type: "string" }, deploy: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const why = straceFault();
  if (why !== null) {
    console.log(`capability: strace; ${why}`);
    return 0;
  }
  const [program = join(root, "dist", "sluice"), ...args] = positionals;
  if (values.deploy) return await deploy(resolve(program));
  const calls = values.only?.split(",") ?? CALLS;
  const scene = await FaultScene.open();
  const folder = new ScratchFolder();
  let sluice: Serving | null = null;
  let wrong = 0;
  try {
    const command: Command = [program, ...args];
    sluice = await Serving.start(command, ["--to", scene.origin.address, "--sockets", "epoll"], folder);
    for (const call of calls) {
      const counts = new Map<string, number>();
      for (const error of ERRORS) {
        for (const turn of TURNS) {
          const what = `${call} number ${turn} with ${error}`;
          try {
            for (const outcome of await once(sluice, scene, call, error, turn)) {
              counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
            }
          } catch (failure) {
            wrong++;
            console.log(`FAIL ${what}: ${failure instanceof Error ? failure.message : String(failure)}`);
          }
        }
      }
      console.log(`${call}: ${[...counts].map(([outcome, count]) => `${count} ${outcome}`).join(", ")}`);
    }
    await sluice.stop();
  } catch (failure) {
    wrong++;
    console.log(`FAIL ${failure instanceof Error ? failure.message : String(failure)}`);
  } finally {
    sluice?.kill();
    await scene.close();
    folder.remove();
  }
  console.log(wrong === 0 ? "all is well" : `${wrong} wrong`);
  return wrong === 0 ? 0 : 1;
}

/** test/smoke/deploy.ts once for each round of faults. @returns exit code */
async function deploy(program: string): Promise<number> {
  const folder = new ScratchFolder();
  let wrong = 0;
  try {
    for (const round of ROUNDS) {
      console.log(wordsOf(round));
      const faulty = folder.file("sluice");
      writeFaulty(faulty, program, round);
      const env = { ...process.env, SLUICE_SOCKETS: "epoll" };
      const child = spawn(tool("bun"), ["test/smoke/deploy.ts", faulty], {
        cwd: root,
        env,
        stdio: "inherit",
      });
      if (await new Promise<number | null>((done) => child.once("exit", done)) !== 0) wrong++;
    }
  } finally {
    folder.remove();
  }
  console.log(wrong === 0 ? "all is well" : `${wrong} rounds wrong`);
  return wrong === 0 ? 0 : 1;
}

/** The scene while one call fails, and a request when none does any more. */
async function once(
  sluice: Serving,
  scene: FaultScene,
  call: string,
  error: string,
  turn: number,
): Promise<string[]> {
  const strace = await attach(sluice.pid, call, error, turn);
  const port = sluice.port;
  try {
    return await scene.run(port);
  } finally {
    await detach(strace);
    await scene.clean(port);
  }
}

async function attach(pid: number, call: string, error: string, turn: number): Promise<ChildProcess> {
  // A name that this processor does not have is none of strace's errors with a question mark before it.
  const inject = `inject=?${call}:error=${error}:when=${turn}`;
  const strace = spawn("strace", ["-f", "-p", String(pid), "-e", `trace=?${call}`, "-e", inject], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  const attached = new Promise<void>((resolve, reject) => {
    strace.stderr?.on("data", (bytes) => {
      said += String(bytes);
      // Of several threads it says how many there are.
      if (/strace: Process \d+ attached/.test(said)) resolve();
    });
    strace.once("exit", () => reject(new Error(`strace: ${said}`)));
  });
  await within(attached, "strace to be attached");
  return strace;
}

async function detach(strace: ChildProcess): Promise<void> {
  if (strace.exitCode !== null || strace.signalCode !== null) return;
  const ended = new Promise((resolve) => strace.once("exit", resolve));
  strace.kill("SIGINT");
  await within(ended, "strace to let go");
}

/** Why it cannot be had; null when it can. */
function straceFault(): string | null {
  const tried = spawnSync("strace", ["-f", "-e", "trace=none", "true"], { encoding: "utf8" });
  if (tried.error !== undefined) return "there is no strace(1) here: apt-get install strace";
  return tried.status === 0 ? null : `ptrace(2) is not allowed here: ${tried.stderr.trim()}`;
}

process.exit(await main());
