/** The lines that are drawn through measurements, and that all measurements can be taken. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { root, runChild, tool } from "../../../scripts/support/child.ts";
import { AXES } from "../../../scripts/support/scaling_axes.ts";
import { doublings, fitConstant, fitLine } from "../../../scripts/support/scaling_fit.ts";
import { requestOf } from "../../../scripts/support/scaling_load.ts";
import { at, fit, replaceFigures, report } from "../../../scripts/support/scaling_report.ts";

const near = (actual: number, expected: number): void =>
  assert.ok(
    Math.abs(actual - expected) < 1e-6 * Math.max(1, Math.abs(expected)),
    `${actual}, not ${expected}`,
  );

test("a line goes through points that lie on one", () => {
  const line = fitLine([1, 10, 100, 15_000].map((x) => ({ x, y: 30 + 0.002 * x })));
  near(line.base, 30);
  near(line.slope, 0.002);
  near(line.off, 0);
  const curve = fitLine([1, 2, 8, 1024].map((x) => ({ x, y: 70 + 3 * Math.log2(x) })), doublings);
  near(curve.base, 70);
  near(curve.slope, 3);
});

test("what does not lie on the line is told, and large figures do not outweigh small ones", () => {
  const line = fitLine([{ x: 0, y: 10 }, { x: 1, y: 10 }, { x: 1000, y: 20_000 }]);
  assert.ok(line.off > 0.5, `${line.off}`);
  assert.ok(line.base < 15, `${line.base}`);
  const constant = fitConstant([{ x: 1, y: 9 }, { x: 2, y: 10 }, { x: 4, y: 12 }]);
  assert.deepEqual([constant.base, constant.slope], [10, 0]);
  near(constant.off, 0.2);
});

test("a request head is about as long as was asked for, in no more fields than are let through", () => {
  for (const bytes of [100, 500, 1000, 8000, 15_000]) {
    const head = requestOf("a.test", 3, bytes).toString("latin1");
    assert.ok(Math.abs(head.length - bytes) < 40, `${head.length} for ${bytes}`);
    assert.ok(head.split("\r\n").length < 50);
    assert.match(head, /^GET \/3 HTTP\/1\.1\r\nHost: a\.test\r\n(x-field-\d+: v+\r\n)*\r\n$/);
  }
  assert.match(
    requestOf("a.test", 3, 0, 5).toString("latin1"),
    /^POST [^]*\r\nContent-Length: 5\r\n\r\nxxxxx$/,
  );
});

test("figures become tables, and take the place of older ones", () => {
  const [axis] = AXES;
  assert.ok(axis !== undefined);
  const points = axis.metrics.map(() => [{ x: 1, y: 50 }, { x: 15_000, y: 80 }]);
  const text = report([{ axis, points }], "A machine.");
  assert.match(text, /^A machine\.\n\n\*\*connections\*\*: .*\n\n\| {2}\| 1 \| 15,000 \|/);
  assert.match(
    text,
    /\| connections \| resident memory, MiB \| 50\.0 \+ 2\.00 for every 1,000 \| 0 % \| 30,000: 110 MiB \|/,
  );
  near(at("doublings", fit("doublings", [{ x: 1, y: 10 }, { x: 4, y: 14 }]), 8), 16);
  const page = "before\n<!-- scaling: written by scripts/scaling.ts -->\nold\n<!-- scaling: end -->\nafter\n";
  const once = replaceFigures(page, text);
  assert.ok(once.startsWith("before\n") && once.endsWith("after\n") && !once.includes("old"));
  assert.equal(replaceFigures(once, text), once);
  assert.throws(() => replaceFigures("nothing", text));
});

test("all measurements can be taken", async () => {
  const sluice = `'${tool("bun")}' '${join(root, "runtime/main_bun.ts")}'`;
  const args = ["scripts/scaling.ts", "--quick", "--sluice", sluice];
  const { code, output } = await runChild(tool("bun"), args, { silenceMs: 50_000 });
  if (process.platform !== "linux") {
    assert.equal(code, 1);
    assert.match(output, /Linux only/);
    return;
  }
  assert.equal(code, 0, output);
  for (const { name, metrics } of AXES) {
    const from = output.indexOf(`\n**${name}**`);
    assert.ok(from >= 0, `${name} is missing`);
    for (const metric of metrics) {
      const row = output.slice(from).split("\n").find((line) => line.startsWith(`| ${metric.name},`));
      const figures = row?.split("|").slice(2, -1).map((cell) => Number(cell.replaceAll(",", "")));
      assert.equal(figures?.length, 2, `${name}: ${row}`);
      // Nothing may be used while nothing is asked; all else costs something.
      if (metric.name !== "CPU at rest") assert.ok(figures?.every((value) => value > 0), `${name}: ${row}`);
      assert.ok(figures?.every((value) => value >= 0), `${name}: ${row}`);
    }
  }
});
