/** A whole Sluice with one worker in memory, with backends, clients and a clock that a test moves. */

import assert from "node:assert/strict";
import { rereadable } from "../../src/serve/config_source.ts";
import { checkFiles } from "../../src/serve/check_files.ts";
import { readConfig } from "../../src/serve/read_config.ts";
import { serve } from "../../src/serve/serve.ts";
import { formatProblem } from "../../src/config/values/problem.ts";
import type { SluicePlane } from "../../src/control/control_plane.ts";
import type { ControlEvent } from "../../src/control/event.ts";
import type { MemoryExports } from "./memory_scripts.ts";
import { MemorySystem } from "./memory_system.ts";
import { NetworkLab } from "./network_lab.ts";

export { answerOf, PlaneBackend } from "./network_lab.ts";

const FILE = "/sluice.yaml";
const FLAGS = { config: [FILE], control: ["off"] };

export class PlaneLab extends NetworkLab {
  readonly system: MemorySystem;
  readonly events: ControlEvent[] = [];
  plane!: SluicePlane; // set by `start`
  ended: Promise<number> = Promise.resolve(0);

  private constructor(yaml: string, files: Readonly<Record<string, string>>) {
    super();
    this.system = new MemorySystem({ files: { ...files, [FILE]: yaml } });
  }

  /**
   * @param yaml configuration; listens on port 0 unless it says otherwise
   * @param names with their addresses
   * @param files that the configuration names, by path
   * @param scripts likewise, and what loading them gives
   * @param prepare makes the system what it is to be
   */
  static async start(
    yaml: string,
    names: Readonly<Record<string, readonly string[]>> = {},
    files: Readonly<Record<string, string>> = {},
    scripts: Readonly<Record<string, MemoryExports>> = {},
    prepare: (system: MemorySystem) => void = () => {},
  ): Promise<PlaneLab> {
    const lab = new PlaneLab(yaml.includes("listen:") ? yaml : `listen: "127.0.0.1:0"\n${yaml}`, files);
    for (const [path, exports] of Object.entries(scripts)) lab.system.scripts.modules.set(path, exports);
    prepare(lab.system);
    for (const [name, addresses] of Object.entries(names)) lab.runtime.network.setName(name, addresses);
    const loaded = await readConfig(lab.system, FLAGS);
    assert.ok(loaded.ok, loaded.ok ? "" : loaded.problems.map(formatProblem).join("\n"));
    const found = await checkFiles(lab.system, loaded, lab.clock.wall());
    lab.ended = serve(lab.runtime, lab.system, loaded.config, {
      source: rereadable(lab.runtime.clock, lab.system, FLAGS, loaded, found),
      onPlane: (plane) => (lab.plane = plane),
      onReady: (listeners) => {
        lab.ports = listeners.map((address) => address.kind === "tcp" ? address.port : 0);
      },
    });
    await lab.until("Sluice to serve", () => lab.ports.length > 0);
    return lab;
  }

  get yaml(): string {
    return String(this.system.files.get(FILE));
  }

  set yaml(text: string) {
    this.system.files.set(FILE, text.includes("listen:") ? text : `listen: "127.0.0.1:0"\n${text}`);
  }

  /** Keeps all events from now on in `events`. */
  watch(): void {
    this.plane.watch((event) => this.events.push(event));
  }

  names(): string[] {
    return this.events.map(({ event }) => event);
  }

  async stop(): Promise<void> {
    this.system.signal("SIGTERM");
    this.system.signal("SIGTERM");
    const code = await this.done(this.ended);
    const dropped = / while stopping: \d+ requests? dropped\n/.test(this.system.stderr);
    assert.equal(code, dropped ? 1 : 0, "what a test leaves in flight is dropped");
  }
}
