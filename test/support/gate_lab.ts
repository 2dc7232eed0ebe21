/** Gates of the library in memory, with backends, clients and a clock that a test moves. */

import assert from "node:assert/strict";
import type { Runtime } from "../../runtime/contract/contract.ts";
import { ConfigError } from "../../src/api/api_error.ts";
import type { Gate, OpenOptions } from "../../src/api/api_types.ts";
import { createLibrary, type Library } from "../../src/api/library.ts";
import { MemorySystem } from "./memory_system.ts";
import { NetworkLab } from "./network_lab.ts";

export class GateLab extends NetworkLab {
  readonly system: MemorySystem;
  readonly library: Library;
  readonly lines: string[] = [];

  /** @param files by path */
  constructor(files: Readonly<Record<string, string>> = {}) {
    super();
    this.system = new MemorySystem({ files });
    // Gates have runtimes of their own; here these are one network.
    const createRuntime = (): Runtime => this.runtime;
    this.library = createLibrary({ createRuntime, system: this.system });
  }

  readonly log = (line: string): void => void this.lines.push(line);

  async open(options: OpenOptions): Promise<Gate> {
    const gate = await this.done(this.library.open({ listen: "127.0.0.1:0", log: this.log, ...options }));
    this.ports = [gate.port];
    return gate;
  }

  /** What is wrong with the options, a line each. */
  async problems(options: OpenOptions): Promise<readonly string[]> {
    try {
      const gate = await this.done(this.library.open(options));
      await this.done(gate.close(0));
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
      assert.equal(error.message, error.problems.join("\n"));
      return error.problems;
    }
    return [];
  }

  /** Time passes until all are closed; nothing may have been printed. */
  async end(...gates: readonly Gate[]): Promise<void> {
    for (const gate of gates) await this.done(gate.close(0));
    assert.equal(this.system.stdout + this.system.stderr, "");
    assert.equal(this.system.exitCode, null);
    for (const name of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
      assert.ok(!this.system.signal(name), `${name} belongs to the program`);
    }
  }
}
