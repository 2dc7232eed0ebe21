/** All commands and the flags that only they have; arguments, help, reference and completions read it from here. */

import { type Command, JSON_FLAG } from "./command.ts";
import { VERB_COMMANDS } from "./verb_commands.ts";

export const COMMANDS: readonly Command[] = [
  {
    name: "serve",
    usage: "--to ADDRESS | --forward [ADDRESS] [options] [-- COMMAND...]",
    summary: "serve requests (what happens without a command)",
    doc:
      "Serves until it is told to stop. SIGTERM and SIGINT stop gracefully, a second one at once (see drain_timeout); SIGHUP " +
      "reads the configuration anew, SIGUSR1 opens the log files anew, SIGUSR2 replaces the running program (see upgrade). Standard output belongs to the access log, standard error to everything else. " +
      "With --forward, and nothing to serve by routes, the command after -- is run through the proxy: its variables http_proxy, " +
      "https_proxy and all_proxy (and the same in upper case) lead to it, no_proxy keeps this machine's own addresses out unless it " +
      "is set already, and Sluice ends with it and exits with its code (128 and the number of the signal that ended it). At the " +
      "end a table of all destinations is written to standard error. Unless given, the port is a free one, log_level is warn and control off.",
    configured: true,
    flags: [],
  },
  {
    name: "check",
    usage: "check [options]",
    summary: "say what is wrong with a configuration",
    doc:
      "Reads the configuration as serving would and prints every problem, one a line, on standard error. Also " +
      "reads the certificate files and tries whether they belong together, and the files of who may use the forward proxy, and " +
      "loads the scripts: all that can be seen without running them is told, then their top level is run, and nothing else of them. " +
      "Exits with 0 or 2.",
    configured: true,
    flags: [JSON_FLAG],
  },
  {
    name: "config",
    usage: "config [options]",
    summary: "print the effective configuration and where it came from",
    doc:
      "Prints the configuration that serving would use, as YAML that can be used as a file, with the origin of " +
      "each value as a comment. With --json: the values in base units (milliseconds, bytes) and the origins by path.",
    configured: true,
    flags: [JSON_FLAG],
  },
  ...VERB_COMMANDS,
  {
    name: "types",
    usage: "types [FOLDER]",
    summary: "write the types of scripts, for editors and compilers",
    doc:
      "Writes `sluice.d.ts` into the folder (default: the working directory), which says what scripts can import from `sluice`, and a " +
      "`tsconfig.json` where there is none. To be done anew after an upgrade.",
    configured: false,
    flags: [],
    operands: { names: "[FOLDER]", least: 0, most: 1, kind: "files" },
  },
  {
    name: "test",
    usage: "test FILE [--tap]",
    summary: "run the tests of a script",
    doc:
      'Runs every function that the file exports as `test_…` or as its default. `import { dry } from "sluice/test"` gives ' +
      'a Sluice of which nothing leaves: `await (await dry("./route.ts", { upstreams: ["app"] })).request("GET", "/")` tells what was ' +
      "decided, what an endpoint would have got, and what the client gets. Exits with 0, with 1 when a test has failed, with 2 when " +
      "the file cannot be loaded.",
    configured: false,
    flags: [{ name: "tap", value: null, help: "in the form of TAP, the Test Anything Protocol" }],
    operands: { names: "FILE", least: 1, most: 1, kind: "files" },
  },
  {
    name: "completions",
    usage: "completions bash|zsh|fish",
    summary: "print completions for a shell",
    doc: 'Bash: `eval "$(sluice completions bash)"`; zsh: the same with `zsh`, after `compinit`; fish: ' +
      "`sluice completions fish | source`. Names of upstreams come from the running Sluice.",
    configured: false,
    flags: [],
    operands: { names: "bash|zsh|fish", least: 1, most: 1, choices: ["bash", "zsh", "fish"] },
  },
  {
    name: "man",
    usage: "man",
    summary: "print the manual page",
    doc:
      "In the format of man(7): `sluice man > /usr/local/share/man/man1/sluice.1`, or `sluice man | man -l -`.",
    configured: false,
    flags: [],
  },
  {
    name: "version",
    usage: "version [--json]",
    summary: "print version, commit, runtime and platform",
    doc: "`--version` and `-v` do the same.",
    configured: false,
    flags: [JSON_FLAG],
  },
  {
    name: "demo",
    usage: "demo [--away DURATION] [options]",
    summary: "see requests held in front of a backend that keeps going away",
    doc:
      "Starts a small backend that takes one connection, stops listening, answers, and listens again a moment " +
      "later; puts Sluice in front of it, and prints commands to try. Listens on 127.0.0.1:8080 unless told otherwise.",
    configured: true,
    flags: [{
      name: "away",
      value: "DURATION",
      help: "how long the backend stays away after each request  (default 50ms)",
    }],
  },
  {
    name: "help",
    usage: "help [COMMAND]",
    summary: "print this, or the help of a command",
    doc: "`--help` and `-h` do the same.",
    configured: false,
    flags: [],
    operands: { names: "[COMMAND]", least: 0, most: 1 },
  },
];

export function commandNamed(name: string): Command | null {
  return COMMANDS.find((command) => command.name === name) ?? null;
}
