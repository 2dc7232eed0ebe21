/** A command that has our terminal: our input and output are its own, and signals that we get are passed on to it. */

import type { CommandExit, CommandProcess, SignalName, System } from "../../runtime/contract/contract.ts";

/** Signals that are passed on to the command, and remembered while there is none. */
export class PassedSignals {
  /** The first one, "" before. */
  any: SignalName | "" = "";
  /** Told of the first one. */
  whenFirst: (() => void) | null = null;
  #command: CommandProcess | null = null;
  /** At a terminal these reach the command by themselves: it is in our process group. */
  readonly #typed: ReadonlySet<SignalName>;

  constructor(system: Pick<System, "onSignal" | "isTerminal">, names: readonly SignalName[]) {
    this.#typed = new Set(system.isTerminal(0) ? ["SIGINT", "SIGQUIT"] : []);
    for (const name of names) {
      system.onSignal(name, () => {
        if (this.any === "") {
          this.any = name;
          this.whenFirst?.();
        }
        if (!this.#typed.has(name)) this.#command?.signal(name);
      });
    }
  }

  /** Sends one that we did not get. */
  send(name: SignalName): void {
    this.#command?.signal(name);
  }

  /** Whom they are for from now on. */
  passTo(command: CommandProcess | null): void {
    this.#command = command;
  }
}

/** What is run. */
export interface ForegroundCommand {
  readonly command: readonly [string, ...string[]];
  /** Variables on top of our environment; undefined takes one away. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Working directory; null = ours. */
  readonly folder: string | null;
}

/** Runs it. Resolves when it has ended. */
export async function runInForeground(
  system: Pick<System, "spawn">,
  { command, env, folder }: ForegroundCommand,
  signals: PassedSignals,
): Promise<CommandExit> {
  const { promise, resolve } = Promise.withResolvers<CommandExit>();
  const started = system.spawn({
    command,
    env,
    folder,
    stdin: "inherit",
    stdout: 1,
    stderr: 2,
    ownGroup: false,
    endsWithUsMs: null,
  }, { output() {}, outputEnded() {}, exited: resolve });
  signals.passTo(started);
  const exit = await promise;
  signals.passTo(null);
  return exit;
}
