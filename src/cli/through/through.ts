/** `sluice --forward -- COMMAND`: a command is run through the proxy, and with it the proxy ends. */

import type {
  Address,
  CommandExit,
  Runtime,
  SignalName,
  System,
} from "../../../runtime/contract/contract.ts";
import { exitCodeOf, signalledCode } from "../../backend/backend_exit.ts";
import { OURS_ONLY } from "../../backend/backend_process.ts";
import { PassedSignals, runInForeground } from "../../backend/foreground.ts";
import { printAddress, reachable } from "../../config/values/address.ts";
import type { Config, ThroughConfig } from "../../config/values/config.ts";
import { DestinationTotals } from "../../observe/destination_totals.ts";
import { EXIT } from "../../process/shared/exit_code.ts";
import type { RereadableConfig } from "../../serve/config_source.ts";
import { printError } from "../../serve/output.ts";
import type { Serve } from "../serve.ts";
import { proxyVariables } from "./proxy_variables.ts";
import { summary } from "./summary.ts";

const PASSED_ON = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

/** Resolves with the exit code of the command; with that of serving when the command was not started, or did not end by itself. */
export async function runThrough(
  runtime: Runtime,
  system: System,
  config: Config,
  through: ThroughConfig,
  source: RereadableConfig | string,
  serve: Serve,
): Promise<number> {
  if (!runtime.capabilities.commands) {
    printError(system, `sluice: ${runtime.name} may not start programs here (Deno needs --allow-run)\n`);
    return EXIT.failed;
  }
  const signals = new PassedSignals(system, PASSED_ON);
  const toStop = new SignalsToStop(system);
  const totals = new DestinationTotals();
  const commandEnded = Promise.withResolvers<void>();
  const end = () => {
    toStop.begin();
    commandEnded.resolve();
  };
  let running: Promise<CommandExit> | null = null;
  const served = serve(runtime, system, config, {
    source,
    exchanges: totals,
    until: commandEnded.promise,
    onSignal: (name, handler) => toStop.add(name, handler),
    onReady: (addresses) => {
      if (signals.any !== "") {
        end();
        return;
      }
      const env = { ...OURS_ONLY, ...proxyVariables(proxyUrl(config, addresses), system.env) };
      running = runInForeground(system, { ...through, env }, signals);
      void running.then(end);
    },
  });
  const code = await Promise.race([served, commandEnded.promise]);
  // The cast: `onReady` may have come meanwhile, which the compiler does not see.
  const command = running as Promise<CommandExit> | null;
  if (typeof code === "number" && command !== null) signals.send("SIGTERM");
  const exit = await command;
  const ended = await served;
  if (exit === null) return signals.any === "" ? ended : signalledCode(signals.any);
  if (exit.failure !== "") printError(system, `sluice: ${through.command[0]}: ${exit.failure}\n`);
  if (config.log.logLevel !== "error") printError(system, summary(totals.all));
  return typeof code === "number" ? code : exitCodeOf(exit);
}

/** Signals are the command's while it runs; afterwards the second one ends the wait for what it has left behind. */
class SignalsToStop {
  readonly #system: System;
  readonly #handlers: (readonly [SignalName, () => void])[] = [];

  constructor(system: System) {
    this.#system = system;
  }

  add(name: SignalName, handler: () => void): void {
    if (name === "SIGTERM" || name === "SIGINT") this.#handlers.push([name, handler]);
  }

  begin(): void {
    for (const [name, handler] of this.#handlers) this.#system.onSignal(name, handler);
  }
}

/** Of the listener that most programs can use: one without TLS, if there is one. */
function proxyUrl({ listen }: Config, addresses: readonly Address[]): string {
  const usable = listen.flatMap(({ forward, tls }, at) => {
    const address = addresses[at];
    return forward && address?.kind === "tcp" ? [{ tls, address }] : [];
  });
  const chosen = usable.find(({ tls }) => !tls) ?? usable[0];
  if (chosen === undefined) throw new Error("no forward listener is bound to a TCP address");
  const { tls, address } = chosen;
  return `${tls ? "https" : "http"}://${printAddress(reachable(address))}`;
}
