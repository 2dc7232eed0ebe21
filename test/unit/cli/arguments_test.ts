import assert from "node:assert/strict";
import { test } from "node:test";
import { type Arguments, parseArguments } from "../../../src/cli/arguments.ts";

function parse(...argv: string[]): Arguments {
  return parseArguments(argv);
}

test("values stay the text that was typed", () => {
  const cases: readonly (readonly [readonly string[], Record<string, readonly string[]>])[] = [
    [["--to", "3000"], { to: ["3000"] }],
    [["--to=3000"], { to: ["3000"] }],
    [["--to", "3000,3001"], { to: ["3000,3001"] }],
    [["--to=:3000", "--to", "08"], { to: [":3000", "08"] }],
    [["--hold", "0"], { hold: ["0"] }],
    [["--queue-size", "1e3"], { "queue-size": ["1e3"] }],
    [["--queue-size", "0x10"], { "queue-size": ["0x10"] }],
    [["--queue-size", "-5"], { "queue-size": ["-5"] }],
    [["--via", "true"], { via: ["true"] }],
    [["--via", "null", "--via="], { via: ["null", ""] }],
    [["--to=a=b"], { to: ["a=b"] }],
    [["--to=--x"], { to: ["--x"] }],
    [["--config", "-"], { config: ["-"] }],
    [["--via", "Infinity"], { via: ["Infinity"] }],
    [["--access-log", "json", "--access-log-to=x"], { "access-log": ["json"], "access-log-to": ["x"] }],
    [["--to", "unix:/a b"], { to: ["unix:/a b"] }],
    [["--to", "[::1]:80"], { to: ["[::1]:80"] }],
  ];
  for (const [argv, flags] of cases) {
    const parsed = parse(...argv);
    assert.deepEqual(parsed.flags, flags, argv.join(" "));
    assert.deepEqual(parsed.problems, []);
    assert.equal(parsed.command, "serve");
  }
});

test("a flag that may stand alone takes the next word, unless that is a flag, a command or the end", () => {
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    [["--forward"], ["auto"]],
    [["--forward", "3128"], ["3128"]],
    [["--forward=:3128"], [":3128"]],
    [["--forward="], [""]],
    [["--forward", "--forward-open"], ["auto"]],
    [["--forward", "--help"], ["auto"]],
    [["--forward", "--", "3128"], ["auto"]],
    [["--forward", "--forward", "3129"], ["auto", "3129"]],
    [["check", "--forward"], ["auto"]],
    [["--forward", "check"], ["auto"]],
    [["--forward-listen", "3128", "config"], ["3128"]],
  ];
  for (const [argv, values] of cases) {
    const parsed = parse(...argv);
    assert.deepEqual(parsed.flags["forward"] ?? parsed.flags["forward-listen"], values, argv.join(" "));
    assert.deepEqual(parsed.problems, [], argv.join(" "));
  }
  assert.equal(parse("--forward", "check").command, "check");
});

test("boolean flags", () => {
  assert.deepEqual(parse("--lenient-upstream").flags, { "lenient-upstream": ["true"] });
  assert.deepEqual(parse("--no-lenient-upstream").flags, { "lenient-upstream": ["false"] });
  assert.deepEqual(parse("--lenient-upstream=false").flags, { "lenient-upstream": ["false"] });
  assert.deepEqual(parse("--lenient-upstream", "false").flags, { "lenient-upstream": ["false"] });
  assert.deepEqual(parse("--lenient-upstream", "check").command, "check");
  assert.deepEqual(parse("--no-lenient-upstream=true").problems, ["--no-lenient-upstream: takes no value"]);
});

test("commands, wherever they stand", () => {
  assert.equal(parse().command, "serve");
  assert.equal(parse("serve", "--to", "1").command, "serve");
  assert.equal(parse("check", "--to", "1").command, "check");
  assert.equal(parse("--to", "1", "check").command, "check");
  assert.equal(parse("--config", "check").command, "serve");
  assert.equal(parse("config", "--json").own.get("json"), "true");
  assert.equal(parse("demo", "--away", "5ms").own.get("away"), "5ms");
  assert.equal(parse("--version").command, "version");
  assert.equal(parse("-v").command, "version");
  assert.deepEqual(parse("help", "check").operands, ["check"]);
  assert.ok(parse("--help").help);
  assert.ok(parse("check", "-h").help);
});

test("everything wrong is said, with what was probably meant", () => {
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    [["--holdd", "3s"], ["--holdd: unknown flag; did you mean --hold?"]],
    [["--holdd=3s", "--tp", "3"], [
      "--holdd: unknown flag; did you mean --hold?",
      "--tp: unknown flag; did you mean --to?",
    ]],
    [["--queue.size", "3"], ["--queue.size: unknown flag; did you mean --queue-size?"]],
    [["--queue_size=3"], ["--queue_size: unknown flag; did you mean --queue-size?"]],
    [["-to", "3"], ["-to: unknown flag; did you mean --to?"]],
    [["--no-hold"], ["--no-hold: unknown flag; did you mean --hold?"]],
    [["--__proto__", "x"], ["--__proto__: unknown flag"]],
    [["--__proto__.x=1"], ["--__proto__.x: unknown flag"]],
    [["--constructor"], ["--constructor: unknown flag"]],
    [["--_", "x"], ["--_: unknown flag"]],
    [["--=3"], ["--: unknown flag"]],
    [["-x"], ["-x: unknown flag"]],
    [["--to"], ["--to: needs a value"]],
    [["--to", "--hold", "3s"], ["--to: needs a value"]],
    [["--json=1"], ["--json: takes no value"]],
    [["--json"], ["--json: not a flag of serving"]],
    [["version", "--to", "3"], ['--to: not a flag of "sluice version"']],
    [["check", "--away", "1s"], ['--away: not a flag of "sluice check"']],
    [["demo", "--away", "1s", "--away=2s"], ["--away: given 2 times: give it once"]],
    [["chek"], ["unknown command: chek; did you mean check?"]],
    [["3000"], ['unknown command: 3000; did you mean "--to 3000"?']],
    [["localhost:3000"], ['unknown command: localhost:3000; did you mean "--to localhost:3000"?']],
    [["-"], ["unknown command: -"]],
    [["-5"], ["unknown command: -5"]],
    [["--"], ["--: no command follows"]],
    [["--command", "a", "--", "ls"], ["--command: given, and a command after --: keep one of the two"]],
    [["version", "--", "ls"], ["unexpected argument: ls"]],
    [["check", "x"], ["unexpected argument: x"]],
    [["help", "chek"], ["unknown command: chek; did you mean check?"]],
    [["help", "check", "x"], ["unexpected argument: x"]],
    [["--\u001b[2J\n"], ['"--\\u001b[2J\\n": unknown flag']],
    [["http://user:secret@host"], ['unknown command: http://***@host; did you mean "--to http://***@host"?']],
  ];
  for (const [argv, problems] of cases) assert.deepEqual(parse(...argv).problems, problems, argv.join(" "));
});

test("no command line makes it throw", () => {
  const words = [
    "--",
    "-",
    "--to",
    "--to=",
    "=",
    "",
    "--no-",
    "--no-to",
    "---",
    "--json",
    "check",
    "help",
    "\u0000",
    "--__proto__=1",
    "1",
    "-1",
    "--lenient-upstream",
    "--hold=1",
    "true",
    "--[no-]x",
    "--constructor.prototype.x",
    "toString",
    "--toString",
  ];
  for (const a of words) for (const b of words) parse(a, b);
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
});
