/** A command as the configuration describes it: how it is started and where its output goes. */

import type {
  Address,
  CommandExit,
  CommandOutput,
  CommandProcess,
  Runtime,
  System,
  TextSink,
} from "../../runtime/contract/contract.ts";
import type { BackendConfig, UpstreamConfig } from "../config/values/config.ts";
import { escapeJson } from "../observe/escape.ts";
import type { Logger } from "../observe/logger.ts";
import { isoTime } from "../observe/log_time.ts";
import { untilAccepting } from "./accept_probe.ts";
import { lookBeforeStart, type StartLook } from "./start_look.ts";
import type { BackendHost } from "./backend.ts";
import { BackendOutput, type LineFormat, prefixed } from "./backend_output.ts";

/** Variables that speak of Sluice, and must not be inherited: see sd_notify(3), sd_listen_fds(3). */
export const OURS_ONLY: Readonly<Record<string, undefined>> = {
  NOTIFY_SOCKET: undefined,
  WATCHDOG_USEC: undefined,
  WATCHDOG_PID: undefined,
  LISTEN_FDS: undefined,
  LISTEN_PID: undefined,
  LISTEN_FDNAMES: undefined,
};

export interface BackendMeans {
  readonly logger: Logger;
  readonly runtime: Runtime;
  readonly system: System;
  /** Sluice's standard output and error. */
  readonly sinks: Readonly<Record<1 | 2, TextSink>>;
  /** Lines of output are JSON, like those of the log. */
  readonly json: boolean;
  /** Output that has not ended yet. */
  readonly outputs: Set<Promise<void>>;
}

/**
 * @param upstream with its ports filled in
 * @param port what `{port}` and PORT stand for; null = no endpoint of it is `auto`
 */
export function childHost(
  means: BackendMeans,
  upstream: UpstreamConfig,
  child: BackendConfig,
  port: number | null,
  used: (since: number) => boolean | Promise<boolean>,
): BackendHost {
  const { runtime, system } = means;
  const addresses: readonly Address[] = upstream.endpoints.map(({ address }) => address);
  /** Addresses where nothing listened when it was started: only there is it the command that accepts. */
  let its = addresses;
  const looked = ({ free, taken }: StartLook): string | null => {
    if (free.length === 0) return taken.join(", ");
    its = free;
    for (const line of taken) {
      means.logger.warn("child_address", `${upstream.name}: ${line}`, { upstream: upstream.name });
    }
    return null;
  };
  return {
    clock: runtime.clock,
    random: Math.random,
    spawn: (exited) => spawned(means, upstream.name, child, port, exited, system),
    look: (done) => lookBeforeStart(runtime, system, addresses, (look) => done(looked(look))),
    used,
    untilAccepting: (accepted) => untilAccepting(runtime, its, accepted),
  };
}

function spawned(
  means: BackendMeans,
  name: string,
  child: BackendConfig,
  port: number | null,
  exited: (how: CommandExit) => void,
  system: System,
): CommandProcess {
  const groups = means.runtime.capabilities.processGroups;
  const [program, ...args] = child.command;
  const filled = (word: string) => port === null ? word : word.replaceAll("{port}", String(port));
  const sinks = child.stdout === "stdout" ? means.sinks : { 1: means.sinks[2], 2: means.sinks[2] };
  const output = new BackendOutput(sinks, means.json ? jsonFormat(means, name) : prefixed(name));
  const command = system.spawn({
    command: [filled(program), ...args.map(filled)],
    env: { ...OURS_ONLY, ...(port === null ? {} : { PORT: String(port) }) },
    folder: child.folder,
    stdin: "ignore",
    stdout: outputOf(child, child.stdout === "stdout" ? 1 : 2),
    stderr: outputOf(child, 2),
    ownGroup: groups,
    endsWithUsMs: groups ? child.stopTimeoutMs : null,
  }, {
    output: (fd, bytes) => output.data(fd, bytes),
    outputEnded: (fd) => output.ended(fd),
    exited,
  });
  output.of(command);
  if (child.output === "prefix") {
    const { closed } = output;
    means.outputs.add(closed);
    void closed.then(() => means.outputs.delete(closed));
  }
  return letGoAtEnd(command, output);
}

/** A command that waits for the reader of its output cannot end gracefully: signals to its whole group are to end it. */
function letGoAtEnd(command: CommandProcess, output: BackendOutput): CommandProcess {
  return {
    pid: command.pid,
    signal(name, leaderOnly = false) {
      if (!leaderOnly) output.letGo();
      return command.signal(name, leaderOnly);
    },
    alive: () => command.alive(),
    write: (text) => command.write(text),
    pauseOutput: () => command.pauseOutput(),
    resumeOutput: () => command.resumeOutput(),
  };
}

function outputOf({ output }: BackendConfig, descriptor: 1 | 2): CommandOutput {
  if (output === "off") return "ignore";
  return output === "plain" ? descriptor : "events";
}

function jsonFormat({ runtime }: BackendMeans, name: string): LineFormat {
  return (stream, line) =>
    `{"time":"${isoTime(runtime.clock.wall())}","level":"info","event":"child_output",` +
    `"upstream":"${escapeJson(name)}","stream":"${stream}","message":"${escapeJson(line)}"}\n`;
}
