/**
 * Verbs while one Sluice takes the place of another. What is answered with success must hold afterwards, whoever serves
 * then. So nothing is changed that the other process has not been told of, and nothing is done by the one that is not in
 * charge any more.
 */

import { refuse } from "./names.ts";
import type { ControlPlane, ExplainRequest, Outcome, Refusal } from "./plane.ts";

export class Gate {
  #shut: PromiseWithResolvers<void> | null = null;
  #trial = false;
  #heir = 0;

  /** Another process is on trial: it has read its configuration, so ours must stay what it is. */
  set trial(under: boolean) {
    this.#trial = under;
  }

  get trial(): boolean {
    return this.#trial;
  }

  /** Process id of the Sluice that has taken our place; 0 = none has. */
  get heir(): number {
    return this.#heir;
  }

  /** Who is in charge is being decided: verbs wait. */
  shut(): void {
    this.#shut ??= Promise.withResolvers();
  }

  /** We are in charge. */
  open(): void {
    this.#shut?.resolve();
    this.#shut = null;
  }

  /** Another process is in charge from now on. */
  replaced(pid: number): void {
    this.#heir = pid;
    this.open();
  }

  /** Why we are not in charge. Null = we are; resolves when that is certain. */
  async pass(): Promise<Refusal | null> {
    while (this.#shut !== null) await this.#shut.promise;
    return this.#heir === 0 ? null : refuse("replaced", replacedText(this.#heir));
  }

  /** The same for what changes the configuration. */
  async passChange(): Promise<Refusal | null> {
    if (!this.#trial) return await this.pass();
    return refuse(
      "busy",
      "An upgrade is under way, and the new process has its configuration: ask again when it is over.",
    );
  }
}

export function replacedText(pid: number): string {
  return `This process was replaced by process ${pid}: connect again to ask that one.`;
}

/** The verbs of `plane` behind a gate. What only looks passes. */
export function gatedPlane(plane: ControlPlane, gate: Gate): ControlPlane {
  const pass = async <T>(act: () => Promise<Outcome<T>>): Promise<Outcome<T>> =>
    await gate.pass() ?? await act();
  const change = async <T>(act: () => Promise<Outcome<T>>): Promise<Outcome<T>> =>
    await gate.passChange() ?? await act();
  return {
    status: () => plane.status(),
    watch: (heard) => plane.watch(heard),
    pause: (...args) => pass(() => plane.pause(...args)),
    resume: (...args) => pass(() => plane.resume(...args)),
    renew: (...args) => pass(() => plane.renew(...args)),
    drain: (...args) => pass(() => plane.drain(...args)),
    undrain: (...args) => pass(() => plane.undrain(...args)),
    swap: (...args) => change(() => plane.swap(...args)),
    wait: (...args) => pass(() => plane.wait(...args)),
    reload: () => change(() => plane.reload()),
    restart: (...args) => change(() => plane.restart(...args)),
    upgrade: (...args) => pass(() => plane.upgrade(...args)),
    stop: (now) => pass(() => plane.stop(now)),
    explain: (request: ExplainRequest) => plane.explain(request),
    reopenLogs: () => pass(() => plane.reopenLogs()),
  };
}
