/** `sluice man`: the manual page, in the format of man(7), out of the tables of the program. */

import { envName, GROUPS } from "../../config/options/option.ts";
import { OPTION_PATHS, optionAt } from "../../config/options/options.ts";
import type { Command } from "../command.ts";
import { commandNamed } from "../commands.ts";
import { EXIT_MEANINGS } from "../../process/shared/exit_code.ts";
import { commandDoc, optionDoc } from "./help.ts";
import { versionText } from "../../serve/version.ts";
import { flagsOf, NAMED_COMMANDS, optionWords } from "./word_table.ts";

export function manualPage(): string {
  return [
    `.TH SLUICE 1 "" ${quoted(`sluice ${versionText()}`)} "User Commands"`,
    ".SH NAME",
    "sluice \\- a reverse proxy that holds requests while a backend is down",
    ".SH SYNOPSIS",
    ".B sluice",
    "\\fB\\-\\-to\\fR \\fIADDRESS\\fR [\\fIoptions\\fR] [\\-\\- \\fICOMMAND\\fR...]",
    ".br",
    ".B sluice",
    "\\fICOMMAND\\fR [\\fIoptions\\fR]",
    ".SH DESCRIPTION",
    text(
      "Sluice stands in front of HTTP services. While a backend restarts, crashes or serves one client at a time, " +
        "requests wait in order and go through when it is ready. Without a command it serves until it is told to " +
        "stop; the other commands look at a configuration or talk to a Sluice that runs.",
    ),
    ".PP",
    text(commandNamed("serve")?.doc ?? ""),
    ".SH COMMANDS",
    ...NAMED_COMMANDS.flatMap(commandLines),
    ".SH OPTIONS",
    text(
      "Every option can also be set in the environment (SLUICE_QUEUE_SIZE for --queue-size) and in the file of " +
        "--config (queue: {size: ...}). A flag wins over the environment, the environment over the file.",
    ),
    ...GROUPS.flatMap((group) => [
      `.SS ${quoted(group)}`,
      ...OPTION_PATHS.filter((path) => optionAt(path).group === group).flatMap((path) => {
        const preset = optionAt(path).default;
        const shown = preset === null || preset === "" ? "" : ` Default: \`${preset}\`.`;
        return [...optionWords(path).slice(0, 1).flatMap(flagLine), text(optionDoc(path) + shown)];
      }),
    ]),
    ".SH EXIT STATUS",
    ...EXIT_MEANINGS.flatMap(([code, meaning]) => [".TP", `.B ${code}`, text(meaning)]),
    ".SH ENVIRONMENT",
    ".TP",
    ".B SLUICE_*",
    text(`Every option, ${envName("max_in_flight")} for --max-in-flight and so on.`),
    ".TP",
    ".B XDG_RUNTIME_DIR, TMPDIR",
    text("Where the control socket is unless --control says; see there."),
    ".TP",
    ".B NOTIFY_SOCKET",
    text("Told when Sluice is ready, reloads and stops, as sd_notify(3) has it."),
    ".TP",
    ".B WATCHDOG_USEC",
    text("How often it is told that Sluice is well, see sd_watchdog_enabled(3)."),
    ".TP",
    ".B LISTEN_FDS",
    text("Sockets to listen on, see sd_listen_fds(3): each is for the listener of its address or name."),
    ".SH EXAMPLES",
    ...[
      ["sluice --to 3000", "serve on :8080, send everything to 127.0.0.1:3000"],
      ["sluice with-pause --wait-idle 10s -- ./migrate.sh", "hold requests while a command runs"],
      ["sluice swap --to 3001 --health /up", "replace the backend once the new one is ready"],
      ["sluice watch --until endpoint_up", "wait until a backend is back"],
    ].flatMap(([command = "", what = ""]) => [".TP", `.B ${escaped(command)}`, text(what)]),
    "",
  ].join("\n");
}

function commandLines(command: Command): string[] {
  return [
    `.SS ${quoted(`sluice ${command.usage}`)}`,
    text(commandDoc(command)),
    ...flagsOf({ ...command, configured: false }).flatMap((flag) => [...flagLine(flag), text(flag.help)]),
  ];
}

function flagLine({ flag, short, value }: { flag: string; short: string; value: string }): string[] {
  const letter = short === "" ? "" : `\\fB\\-${short}\\fR, `;
  const given = value === "" ? "" : ` \\fI${escaped(value)}\\fR`;
  return [".TP", `${letter}\\fB${escaped(flag)}\\fR${given}`];
}

/** A paragraph: what stands in backticks is bold. */
function text(paragraph: string): string {
  const parts = escaped(paragraph).split("`");
  const marked = parts.map((part, index) => index % 2 === 1 ? `\\fB${part}\\fR` : part).join("");
  return /^[.']/.test(marked) ? `\\&${marked}` : marked;
}

/** An argument of a request line. */
function quoted(argument: string): string {
  return `"${escaped(argument).replaceAll('"', "\\(dq")}"`;
}

function escaped(plain: string): string {
  return plain.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(
    /[^\x20-\x7e]/g,
    (character) => `\\[u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}]`,
  );
}
