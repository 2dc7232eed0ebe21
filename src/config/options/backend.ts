/** Options about the command of an upstream: how it is started, watched and stopped. */

import { commandWords, forwardedSignals } from "../values/command_words.ts";
import type { OptionTable } from "./option.ts";
import { duration } from "../values/quantity.ts";
import { boolean, count, oneOf, path } from "../values/value_type.ts";

export const CHILD_OPTIONS = {
  "command": {
    group: "Command",
    scope: "upstream",
    type: commandWords(),
    default: null,
    help: "program to run as the backend; or after --",
    doc:
      "Sluice starts it once it listens, holds requests until it accepts connections, starts it again when it ends, and " +
      "stops it after the last request. `sluice --to 3000 -- node server.js` is the usual way to write it; as text it is split " +
      "at spaces, with quotes around what belongs together. No shell reads it. " +
      "Where the endpoint is `auto`, `{port}` in it and PORT in its environment are the port that was chosen. " +
      "`sluice restart` restarts it without losing a request. While there is a command, `upgrade` and, for its upstream, " +
      "`swap` are refused (`not_possible`): a command cannot be handed to another Sluice.",
    example: "[node, server.js]",
  },
  "start_on_demand": {
    group: "Command",
    scope: "upstream",
    type: boolean(),
    default: "false",
    help: "start the command with the first request",
    doc: "The request is held while the command starts; `hold` bounds that as ever.",
    example: "true",
  },
  "stop_when_idle": {
    group: "Command",
    scope: "upstream",
    type: duration("0", "30d"),
    default: "0",
    help: "stop the command after so long without a request",
    doc:
      "When nothing was in flight for so long (up to an eighth more), WebSockets included. The next request starts it again and is held " +
      "meanwhile. `0` never stops it.",
    example: "10m",
  },
  "child.output": {
    group: "Command",
    scope: "upstream",
    type: oneOf("prefix", "plain", "off"),
    default: "prefix",
    help: "prefix, plain or off",
    doc:
      "What becomes of the output of the command. `prefix` puts the upstream's name before each line (with `log_format: json` " +
      "each line is one of the log); `plain` hands the command Sluice's own standard error, so that it can see a terminal; `off` drops it.",
    example: "plain",
  },
  "child.stdout": {
    group: "Command",
    scope: "upstream",
    type: oneOf("stderr", "stdout"),
    default: "stderr",
    help: "where its standard output goes: stderr or stdout",
    doc: "Sluice's own standard output belongs to the access log; `stdout` mixes the two.",
    example: "stdout",
  },
  "child.folder": {
    group: "Command",
    scope: "upstream",
    type: path(),
    default: null,
    help: "working directory of the command",
    doc: "The default is Sluice's own.",
    example: "/srv/app",
  },
  "child.stop_signal": {
    group: "Command",
    scope: "upstream",
    type: oneOf("TERM", "INT", "QUIT", "HUP", "USR1", "USR2"),
    default: "TERM",
    help: "signal that stops the command gracefully",
    doc: "It goes to the command and all it has started.",
    example: "QUIT",
  },
  "child.stop_timeout": {
    group: "Command",
    scope: "upstream",
    type: duration("0", "1h"),
    default: "10s",
    help: "how long it may take to stop; then it is killed",
    doc: "Counts from `child.stop_signal`; then it and all it has started get SIGKILL.",
    example: "30s",
  },
  "child.max_failures": {
    group: "Command",
    scope: "upstream",
    type: count(0, 1_000_000),
    default: "10",
    help: "quick ends in a row before it is given up; 0 = never",
    doc:
      "A quick end is one within 10 s of the start. After each the pause before the next start doubles, from 100 ms to 10 s. " +
      "One that follows a request sent to the command does not count towards giving it up. " +
      "A command that was given up is started again by `sluice restart`.",
    example: "3",
  },
  "child.forward": {
    group: "Command",
    scope: "upstream",
    type: forwardedSignals(),
    default: "",
    help: "signals passed on to it: HUP, USR1, USR2, QUIT",
    doc:
      "In addition to what Sluice does with them, and to the command alone, not to what it has started. None by default: " +
      "HUP, USR1 and USR2 are requests to Sluice itself, and end most programs. TERM and INT stop both.",
    example: "[HUP]",
  },
} as const satisfies OptionTable;

/** Of the process, not of one upstream. */
export const CHILD_PROCESS_OPTIONS = {
  "exit_with_child": {
    group: "Command",
    scope: "process",
    type: boolean(),
    default: "false",
    help: "end when the command ends, with its exit code",
    doc:
      "When a command ends by itself it is not started again: Sluice drains, stops and exits with the command's code, or 128 and the " +
      "number of the signal that ended it. Stopped by a signal, Sluice exits with the code that its command then exits with.",
    example: "true",
  },
} as const satisfies OptionTable;
