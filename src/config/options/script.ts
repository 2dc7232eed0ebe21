/** Options about scripts. */

import type { OptionTable } from "./option.ts";
import { duration } from "../values/quantity.ts";
import { oneOf, path } from "../values/value_type.ts";

export const SCRIPT_OPTIONS = {
  "script.file": {
    group: "Scripts",
    scope: "server",
    type: path(),
    default: null,
    alias: "script",
    help: "file whose functions decide about each request",
    doc:
      "A file of TypeScript or JavaScript that exports `onRequest`, `onResponse`, `onError`, `onLog`, `onStart` or `onStop`, or a handler " +
      "as its default. It is asked about each request before the routes are, but not about those of a forward proxy. A path in the configuration file is relative to that " +
      "file, one on the command line to the working directory. The file is loaded with all that it imports, at the start and anew " +
      "at each reload, in each worker; a fault of it is a problem of the configuration. It can do whatever Sluice itself can: nobody " +
      "else should be able to write it. A route has one of its own by `script:`, and is answered by one with `handle:`. In YAML " +
      "`script: route.ts` is short for `script: {file: route.ts}`.",
    example: "route.ts",
  },
  "script.timeout": {
    group: "Scripts",
    scope: "server",
    type: duration("1ms", "1d"),
    default: "10s",
    help: "longest time for a promise of a script",
    doc:
      "A function of a script that returns a promise has so long to settle it; the request is then answered with 504, and its " +
      "`signal` is aborted. A body that the script reads or writes is not counted.",
    example: "2s",
  },
  "script.stall": {
    group: "Scripts",
    scope: "server",
    type: duration("1s", "1h"),
    default: "10s",
    help: "how long a script may keep a worker from all else",
    doc:
      "A function that never returns keeps its worker from doing anything else. Where workers can be processes (Linux), a Sluice with " +
      "scripts has its workers as processes of their own, also when there is one, and one that has not been heard of for so long " +
      "is ended and replaced; what waits to be accepted waits for the next one, and requests that it had are lost.",
    example: "5s",
  },
  "script.on_error": {
    group: "Scripts",
    scope: "server",
    type: oneOf("fail", "pass"),
    default: "fail",
    help: "what becomes of a response whose onResponse fails",
    doc:
      "`fail` answers with 502 in its place: what should have been taken out of it does not get out. `pass` lets it through as it " +
      "came. A failure of `onRequest` is answered with 500 in either case.",
    example: "pass",
  },
  "script.guard": {
    group: "Scripts",
    scope: "server",
    type: oneOf("auto", "always", "never"),
    default: "auto",
    help: "end calls that take over a second: auto, always, never",
    doc:
      "With the guard a call of a script's function that has not returned after a second is ended and its request answered with 500, " +
      "at the price of 3 µs a call; what goes on after an `await` is not guarded. `auto` has it for ten minutes in a worker that " +
      "replaces one which had to be ended (see `script.stall`), so that the log names the request. On Bun, and in the executable.",
    example: "always",
  },
} as const satisfies OptionTable;
