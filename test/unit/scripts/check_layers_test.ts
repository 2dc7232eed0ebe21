import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkFile, circles, needlessExceptions } from "../../../scripts/check_layers.ts";
import { readSource } from "../../../scripts/support/source_text.ts";

function faults(file: string, source: string): string[] {
  return checkFile(file, source).map((problem) => `${problem.line}: ${problem.text}`);
}

describe("layers", () => {
  const allowed: [file: string, source: string][] = [
    ["src/conn/connection.ts", 'import { a } from "../http/head.ts";'],
    ["src/conn/connection.ts", 'import { a } from "./deep/other.ts";'],
    ["src/bytes/latin1.ts", 'import type { Runtime } from "../../runtime/contract/contract.ts";'],
    ["src/config/values/config.ts", 'import { parse } from "@std/yaml";'],
    ["src/cli/main.ts", 'import { serve } from "../serve/serve.ts";'],
    ["src/gateway/routes.ts", '// import "../cli/help.ts";\nconst text = "process.env";'],
    [
      "runtime/bun/adapter.ts",
      'import { f } from "../shared/socket_error.ts"; import { g } from "node:fs"; Bun.listen({});',
    ],
    ["src/server/a.ts", 'import { a } from "../conn/open_downstream.ts"; a(head.startLine);'],
    ["src/exchange/tunnel.ts", 'import { closeFrame } from "../websocket/frames.ts";'],
    ["src/client/a.ts", "new UpstreamConnection(a); new TunnelConnection(b);"],
    ["src/gateway/a.ts", "// head.startLine, minor, and\nnew ConnectionSet(); const text = 'nextRequest';"],
    ["runtime/main_bun.ts", 'import { cli } from "../src/cli/main.ts";'],
    ["src/bytes/latin1.ts", "const { latin1Slice } = Buffer.prototype;"],
    ["test/unit/x_test.ts", 'import { cli } from "../../src/cli/main.ts"; import "node:net"; Deno.exit();'],
  ];
  for (const [file, source] of allowed) {
    test(`allowed: ${file}: ${source}`, () => assert.deepEqual(faults(file, source), []));
  }

  const refused: [file: string, source: string, fault: RegExp][] = [
    [
      "src/http/head.ts",
      '\nimport { a } from "../conn/connection.ts";',
      /^2: .*src\/conn is above src\/http/,
    ],
    ["src/http/head.ts", 'import type { A } from "../config/config.ts";', /src\/config is above/],
    ["src/bytes/a.ts", 'export * from "../time/clock.ts";', /src\/time is above src\/bytes/],
    ["src/process/worker/a.ts", 'import { a } from "../supervisor/b.ts";', /supervisor is above/],
    ["src/config/values/a.ts", 'import { a } from "../load.ts";', /src\/config is above src\/config\/values/],
    ["src/gateway/a.ts", 'const a = await import("../config/config.ts");', /src\/config is above/],
    ["src/gateway/a.ts", 'type A = import("../config/config.ts").A;', /src\/config is above/],
    ["src/conn/a.ts", 'import { bun } from "../../runtime/bun/adapter.ts";', /contract\/contract\.ts only/],
    ["src/conn/a.ts", 'import { x } from "../../test/support/x.ts";', /in no layer/],
    ["src/odd/a.ts", 'import { x } from "../bytes/x.ts";', /is in no layer/],
    ["src/conn/a.ts", 'import net from "node:net";', /imports node:net/],
    ["src/conn/a.ts", 'import ws from "ws";', /package ws/],
    ["src/conn/a.ts", "const a = 1;\nBun.listen({});", /^2: names Bun/],
    ["src/conn/a.ts", "const text = `a ${ Deno.pid } b`;", /names Deno/],
    ["src/conn/a.ts", "process.exit(1);", /names process/],
    ["src/conn/a.ts", "const b = Buffer.from([]);", /names Buffer/],
    ["runtime/bun/adapter.ts", 'import { a } from "../../src/bytes/a.ts";', /adapters know runtime\/ only/],
    ["runtime/bun/adapter.ts", 'import { a } from "../node/tls.ts";', /folder is its own/],
    ["runtime/shared/a.ts", 'import { a } from "../node/tls.ts";', /folder is its own/],
    ["runtime/bun/adapter.ts", 'import ws from "ws";', /uses the platform only/],
    ["runtime/contract/contract.ts", 'import { a } from "../bun/adapter.ts";', /stands alone/],
    ["src/exchange/a.ts", 'import { a } from "../http1/encode.ts";', /knows streams only/],
    ["src/gateway/forward/a.ts", 'import type { A } from "../../conn/connection.ts";', /knows streams only/],
    ["src/upstream/a.ts", 'import type { A } from "../conn/a.ts";', /knows streams only/],
    ["src/exchange/a.ts", "\nlet text = head.startLine;", /^2: names startLine, which only HTTP\/1 has/],
    ["src/gateway/a.ts", "stream.nextRequest();", /names nextRequest/],
    ["src/upstream/a.ts", "if (head.minor === 0) a();", /names minor/],
    ["src/server/a.ts", "const a = new DownstreamConnection(b);", /constructs a DownstreamConnection/],
    ["src/process/worker/a.ts", "\n\nnew UpstreamConnection(b);", /^3: constructs a UpstreamConnection/],
    ["src/exchange/a.ts", "new TunnelConnection(b);", /constructs a TunnelConnection/],
    ["src/conn/long.ts", "a;\n".repeat(401), /^401: 401 lines: more than 400; split it/],
    ["runtime/shared/long.ts", "a;\n".repeat(401), /^401: 401 lines: more than 400/],
    ["src/process/supervisor/slot_ledger.ts", "a;\n".repeat(501), /^501: 501 lines: more than 500/],
  ];
  for (const [file, source, fault] of refused) {
    test(`refused: ${file}: ${source.slice(0, 60).trim().replaceAll("\n", " ")}`, () => {
      const found = faults(file, source);
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0] ?? "", fault);
    });
  }

  test("400 lines are not too many, and more are where a reason is given", () => {
    assert.deepEqual(faults("src/conn/long.ts", "a;\n".repeat(400)), []);
    assert.deepEqual(faults("src/process/supervisor/slot_ledger.ts", "a;\n".repeat(500)), []);
  });

  test("an exception that is not needed, or whose file is gone, is told", () => {
    const told = (source: string) =>
      needlessExceptions(new Map([["src/process/supervisor/slot_ledger.ts", source]]))
        .filter(({ file }) => file === "src/process/supervisor/slot_ledger.ts").map(({ text }) => text);
    assert.deepEqual(told("a;\n".repeat(401)), []);
    assert.match(told("a;\n".repeat(400)).join(), /^is not longer than 400 lines: take it out/);
    const gone = needlessExceptions(new Map()).find(({ file }) =>
      file === "src/process/supervisor/slot_ledger.ts"
    );
    assert.match(gone?.text ?? "", /^is not there: take it out/);
  });
});

describe("circles", () => {
  const find = (files: Record<string, string>) => circles(new Map(Object.entries(files)));

  test("files that import each other are named together, in order, types included", () => {
    const found = find({
      "src/b.ts": 'import type { C } from "./deep/c.ts";',
      "src/a.ts": 'import { b } from "./b.ts"; import { d } from "./d.ts";',
      "src/deep/c.ts": 'export * from "../a.ts";',
      "src/d.ts": 'import { x } from "node:fs"; import { gone } from "./gone.ts";',
    });
    assert.deepEqual(found, [["src/a.ts", "src/b.ts", "src/deep/c.ts"]]);
  });

  test("two ways to one file are no circle, and two circles are two", () => {
    assert.deepEqual(
      find({
        "a.ts": 'import "./b.ts"; import "./c.ts";',
        "b.ts": 'import "./d.ts";',
        "c.ts": 'import "./d.ts";',
        "d.ts": "",
      }),
      [],
    );
    const two = find({
      "a.ts": 'import "./b.ts"; import "./c.ts";',
      "b.ts": 'import "./a.ts";',
      "c.ts": 'await import("./d.ts");',
      "d.ts": 'import "./c.ts";',
    });
    assert.deepEqual(two.sort(), [["a.ts", "b.ts"], ["c.ts", "d.ts"]]);
  });
});

describe("reading a source", () => {
  test("every form of import, with its line", () => {
    const { imports } = readSource(
      [
        'import a from "a";',
        'import "b"; // from "no"',
        "import type { C } from 'c';",
        "import {",
        "  d,",
        '} from "d";',
        'export { e } from "e";',
        'const f = import("f");',
        'const g = require( "g" );',
        '/* from "no" */ const no = Array.from("no") + other.import("no");',
        'const text = `from "no" ${await import("h")} from "no"`;',
      ].join("\n"),
    );
    assert.deepEqual(imports.map(({ specifier, line }) => `${specifier}${line}`), [
      "a1",
      "b2",
      "c3",
      "d6",
      "e7",
      "f8",
      "g9",
      "h11",
    ]);
  });

  test("comments, strings and regular expressions are blank, the rest stays in place", () => {
    const source = "a /* x\n */ b(/[/]x\"/, 'y') / 2; `t${ { c: `${d}` }.c }u`; e; // z";
    const { code } = readSource(source);
    assert.equal(code.length, source.length);
    assert.equal(code.replace(/\s+/g, " ").trim(), "a b( , ) / 2; { c: d }.c ; e;");
  });
});
