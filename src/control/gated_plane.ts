/**
 * Verbs while one Sluice takes the place of another. What is answered with success must hold afterwards, whichever process serves
 * then. So nothing is changed that the other process has not been told of, and nothing is done by the one that is not in
 * charge any more.
 */

import { refuse } from "./names.ts";
import type { ControlPlane, ExplainRequest, Outcome, Refusal } from "./plane.ts";

export class Gate {
  #shut: PromiseWithResolvers<void> | null = null;
  #trial = false;
  #heir = 0;
  readonly #ending = new AbortController();
  /** Verbs that are being carried out. */
  #under = 0;
  #idle: PromiseWithResolvers<void> | null = null;

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

  /** It is being decided which process is in charge: verbs wait. */
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
    this.#trial = false;
    this.open();
  }

  /** Aborted when this process, which was replaced, is about to end: what is waited for here can be waited for there. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** It is. */
  end(): void {
    this.#ending.abort();
  }

  /** Resolves when no verb is being carried out. */
  get idle(): Promise<void> {
    if (this.#under === 0) return Promise.resolve();
    return (this.#idle ??= Promise.withResolvers()).promise;
  }

  /** Carries out a verb. */
  async through<T>(act: () => Promise<T>): Promise<T> {
    this.#under++;
    try {
      return await act();
    } finally {
      if (--this.#under === 0) {
        this.#idle?.resolve();
        this.#idle = null;
      }
    }
  }

  /** What verbs are told by a process that has been replaced. */
  get refusal(): Refusal {
    return refuse(
      "replaced",
      `This process was replaced by process ${this.#heir}: connect again to ask that one.`,
    );
  }

  /** Why we are not in charge. Null = we are; resolves when that is certain. */
  async pass(): Promise<Refusal | null> {
    while (this.#shut !== null) await this.#shut.promise;
    return this.#heir === 0 ? null : this.refusal;
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

/** The verbs of `plane` behind a gate. What only looks passes. */
export function gatedPlane(plane: ControlPlane, gate: Gate): ControlPlane {
  const pass = async <T>(act: () => Promise<Outcome<T>>): Promise<Outcome<T>> =>
    await gate.pass() ?? await gate.through(act);
  const change = async <T>(act: () => Promise<Outcome<T>>): Promise<Outcome<T>> =>
    await gate.passChange() ?? await gate.through(act);
  /** What waits in a process that ends before that is over is to be asked of the other one. */
  const lasting = <T>(
    signal: AbortSignal | undefined,
    act: (signal: AbortSignal) => Promise<Outcome<T>>,
  ): Promise<Outcome<T>> =>
    pass(async () => {
      const { ending } = gate;
      const over = new AbortController();
      const end = () => over.abort();
      const signals = signal === undefined ? [ending] : [signal, ending];
      // Not AbortSignal.any, nor a race with a promise that lasts: each verb would leave something behind.
      for (const each of signals) each.addEventListener("abort", end);
      if (signals.some(({ aborted }) => aborted)) end();
      const outcome = await act(over.signal);
      for (const each of signals) each.removeEventListener("abort", end);
      return outcome.ok || !ending.aborted || signal?.aborted === true ? outcome : gate.refusal;
    });
  return {
    status: () => plane.status(),
    watch: (heard) => plane.watch(heard),
    pause: (upstream, waitIdleMs, leaseMs, signal, owner) =>
      lasting(signal, (either) => plane.pause(upstream, waitIdleMs, leaseMs, either, owner)),
    resume: (...args) => pass(() => plane.resume(...args)),
    renew: (...args) => pass(() => plane.renew(...args)),
    drain: (...args) => lasting(undefined, (over) => unless(over, plane.drain(...args), gate)),
    undrain: (...args) => pass(() => plane.undrain(...args)),
    swap: (...args) => change(() => plane.swap(...args)),
    wait: (upstream, what, timeoutMs, signal) =>
      lasting(signal, (either) => plane.wait(upstream, what, timeoutMs, either)),
    reload: () => change(() => plane.reload()),
    restart: (...args) => change(() => plane.restart(...args)),
    upgrade: (...args) => pass(() => plane.upgrade(...args)),
    stop: (now) => pass(() => plane.stop(now)),
    explain: (request: ExplainRequest) => plane.explain(request),
    reopenLogs: () => pass(() => plane.reopenLogs()),
  };
}

/** The outcome of a verb that cannot be called off, or the refusal when it is not to be waited for any more. */
function unless<T>(over: AbortSignal, outcome: Promise<Outcome<T>>, gate: Gate): Promise<Outcome<T>> {
  return new Promise((done, failed) => {
    over.addEventListener("abort", () => done(gate.refusal));
    outcome.then(done, failed);
  });
}
