/** A proxy whose requests go through a script, before an origin that tells what it was asked. */

import assert from "node:assert/strict";
import { Script } from "../../src/script/script.ts";
import type { ScriptFaults, ScriptPhase } from "../../src/script/script_faults.ts";
import type { ScriptHooks } from "../../src/script/script_types.ts";
import { TestProxy } from "./proxy.ts";
import { ScriptedOrigin } from "./scripted_origin.ts";

export interface Told {
  readonly kind: "failed" | "timedOut" | "slow";
  readonly phase: ScriptPhase;
  readonly words: string;
}

export class ScriptLab implements ScriptFaults {
  readonly told: Told[] = [];
  origin!: ScriptedOrigin; // set by `with`
  proxy!: TestProxy; // set by `with`

  /** @param exports of the script: hooks, or `default` */
  static async with(
    exports: ScriptHooks & { readonly default?: unknown },
    act: (lab: ScriptLab) => Promise<void>,
    { yaml = "", timeoutMs = 60_000, passesOnError = false } = {},
  ): Promise<void> {
    const lab = new ScriptLab();
    const settings = { timeoutMs, passesOnError, guard: null, note: null };
    lab.origin = await ScriptedOrigin.listen();
    const text = yaml.includes("upstreams:")
      ? yaml.replaceAll("ORIGIN", lab.origin.address)
      : `to: ${lab.origin.address}\n${yaml}`;
    lab.proxy = await TestProxy.start(text, {
      // The cast: a module's exports.
      script: new Script("test.ts", exports as Readonly<Record<string, unknown>>, settings),
      faults: lab,
    });
    try {
      await act(lab);
    } finally {
      await lab.proxy.stop();
      await lab.origin.close();
    }
    assert.equal(lab.proxy.gateway.scriptHost.bodyBytes, 0, "no body is kept any more");
  }

  get port(): number {
    return this.proxy.port;
  }

  failed(_script: string, phase: ScriptPhase, error: unknown): void {
    this.told.push({ kind: "failed", phase, words: error instanceof Error ? error.message : String(error) });
  }

  timedOut(_script: string, phase: ScriptPhase, afterMs: number): void {
    this.told.push({ kind: "timedOut", phase, words: `${afterMs}` });
  }

  slow(_script: string, phase: ScriptPhase, ms: number): void {
    this.told.push({ kind: "slow", phase, words: `${ms}` });
  }
}
