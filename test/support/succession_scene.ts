/** A Sluice as a process that can be upgraded, with an origin behind it. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type Command, runToEnd, ScratchFolder, Serving } from "../smoke/program.ts";
import { ownProgram, until } from "./processes.ts";
import { askOnce } from "./raw_client.ts";
import { ScriptedOrigin } from "./scripted_origin.ts";

/** Deno cannot give sockets away: there an upgrade is refused. */
export const handover = !("Deno" in globalThis);
export const able = { skip: handover ? false : "listening sockets cannot be handed over with Deno" };

export function get(target: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: succession.test\r\n\r\n`;
}

export interface Scene {
  readonly folder: ScratchFolder;
  readonly sluice: Serving;
  readonly origin: ScriptedOrigin;
  /** Of the process that serves. */
  pid(): number;
  /** Asks for an upgrade and waits until it has taken place. */
  upgrade(): Promise<void>;
  /** Asks the Sluice that serves. @returns what is printed */
  verb(...words: string[]): Promise<string>;
  /** Asks the control socket of the Sluice that serves. */
  control(path: string, body?: object): Promise<ControlAnswer>;
  /** What is read next, by a reload or an upgrade. */
  configure(yaml: string): void;
  /** Replaces the program's file: what is started next is this. */
  replaceProgram(source: string): void;
}

export interface SceneOptions {
  /** What the first process reads; the others read what is in the file by then. Default: everything goes to the origin. */
  readonly config?: (origin: string) => string;
}

export async function scene(
  args: readonly string[],
  act: (scene: Scene) => Promise<void>,
  { config }: SceneOptions = {},
): Promise<void> {
  const folder = new ScratchFolder();
  const origin = (await ScriptedOrigin.listen()).auto(({ target }) => target);
  const [program, ...before] = ownProgram();
  const entry = before.pop() ?? "";
  // A file of our own that stands for the program.
  const own = folder.file("program.ts");
  writeFileSync(own, `await import(${JSON.stringify(entry)});\n`);
  // Deno would look for packages beside that.
  const command: Command = [program, ...before, handover ? own : entry];
  const pidFile = folder.file("pid");
  const configFile = folder.file("sluice.yaml");
  if (config !== undefined) writeFileSync(configFile, config(origin.address));
  const pid = () => Number(readFileSync(pidFile, "latin1"));
  let sluice: Serving | null = null;
  try {
    const serving = await Serving.start(command, [
      ...(config === undefined ? ["--to", origin.address] : ["--config", configFile]),
      "--pid-file",
      pidFile,
      "--control",
      folder.file("control"),
      ...args,
    ], folder);
    sluice = serving;
    await act({
      folder,
      sluice,
      origin,
      pid,
      async upgrade() {
        const old = pid();
        // The verb answers once the old process accepts nothing any more; what follows a signal tells only that it is about to.
        const { status, told } = await askControl(folder.file("control"), "/upgrade", {});
        assert.equal(status, 200, JSON.stringify(told));
        await until("a successor", () => pid() !== old);
        await serving.said(new RegExp(`process ${pid()} serves now: stopping`));
      },
      async verb(...words) {
        const { code, stdout, stderr } = await runToEnd(
          command,
          [...words, "--control", folder.file("control")],
          folder.path,
        );
        assert.equal(code, 0, stderr);
        return stdout;
      },
      control: (path, body) => askControl(folder.file("control"), path, body),
      configure: (yaml) => writeFileSync(configFile, yaml),
      replaceProgram: (source) => writeFileSync(own, source),
    });
  } finally {
    for (const last of existsSync(pidFile) ? [pid()] : []) {
      try {
        process.kill(last, "SIGKILL");
      } catch {
        // It has ended without a chance to remove its file.
      }
    }
    sluice?.kill();
    await origin.close();
    folder.remove();
  }
}

export interface ControlAnswer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- JSON that the caller knows
  readonly told: any;
}

/** One request to a control socket; GET without a body. */
export async function askControl(path: string, target: string, body?: object): Promise<ControlAnswer> {
  const text = body === undefined ? "" : JSON.stringify(body);
  const head = body === undefined ? `GET ${target} HTTP/1.1` : `POST ${target} HTTP/1.1`;
  const answer = await askOnce(
    { path },
    `${head}\r\nHost: control\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
  return { status: answer.status, told: JSON.parse(answer.text) };
}
