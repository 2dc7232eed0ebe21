import assert from "node:assert/strict";
import { test } from "node:test";
import { Logger, type LoggerOptions } from "../../../src/observe/logger.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemorySink } from "../../support/memory_system.ts";

function setUp(options: Partial<LoggerOptions> = {}) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const sink = new MemorySink(2, 1 << 20, (text) => lines.push(text));
  return {
    clock,
    lines,
    sink,
    logger: new Logger(sink, clock, { level: "info", format: "text", ...options }),
  };
}

test("text lines", () => {
  const { lines, logger } = setUp();
  logger.info("listening", "listening on :8080", { address: "127.0.0.1:8080", tls: false, note: "a b" });
  assert.deepEqual(lines, [
    '1994-11-06T08:49:37.000Z info listening: listening on :8080 address=127.0.0.1:8080 tls=false note="a b"\n',
  ]);
});

test("JSON lines", () => {
  const { lines, logger } = setUp({ format: "json" });
  logger.error("x", 'a "b"\n', { count: 3, share: NaN, ok: true, text: "é\n" });
  assert.match(lines[0] ?? "", /^[\x20-\x7e]+\n$/);
  assert.deepEqual(JSON.parse(lines[0] ?? ""), {
    time: "1994-11-06T08:49:37.000Z",
    level: "error",
    event: "x",
    message: 'a "b"\n',
    count: 3,
    share: null,
    ok: true,
    text: "é\n",
  });
});

test("an event that had another name has it beside the new one", () => {
  const text = setUp();
  text.logger.warn("endpoint_down", "a:1 is down: connection_refused", { upstream: "app" });
  text.logger.info("endpoint_up", "a:1 is up after 5 ms");
  assert.deepEqual(text.lines.map((line) => line.slice(25)), [
    "warn endpoint_down: a:1 is down: connection_refused upstream=app alias=endpoint_away\n",
    "info endpoint_up: a:1 is up after 5 ms alias=endpoint_back\n",
  ]);
  const json = setUp({ format: "json" });
  json.logger.warn("endpoint_down", "m");
  assert.match(json.lines[0] ?? "", /"event":"endpoint_down","alias":"endpoint_away","message":"m"\}\n$/);
});

test("levels", () => {
  const { lines, logger } = setUp({ level: "warn" });
  assert.ok(logger.enabled("error"));
  assert.ok(logger.enabled("warn"));
  assert.ok(!logger.enabled("info"));
  logger.debug("a", "a");
  logger.info("a", "a");
  logger.warn("a", "a");
  logger.error("a", "a");
  assert.equal(lines.length, 2);
});

test("text of peers cannot begin a line or move the cursor", () => {
  for (const format of ["text", "json"] as const) {
    const { lines, logger } = setUp({ format });
    logger.warn("peer", "a\r\n1994 error: forged\u001b[2J\u0085", { value: 'x" level=error \n\u202e' });
    assert.match(lines.join(""), /^[\x20-\x7e]+\n$/);
  }
});

test("long values are cut", () => {
  const { lines, logger } = setUp();
  logger.warn("peer", "m".repeat(100_000), { value: "v".repeat(100_000), other: "é".repeat(100_000) });
  assert.ok((lines[0] ?? "").length < 10_000);
});

test("of one event at most ten lines a second are written, and the rest is counted", () => {
  const { clock, lines, logger } = setUp();
  for (let index = 0; index < 25; index++) logger.warn("endpoint_down", `attempt ${index}`);
  logger.warn("other", "not affected");
  assert.equal(lines.length, 11);
  clock.advance(1000);
  assert.equal(lines.length, 12);
  assert.match(
    lines[11] ?? "",
    /warn endpoint_down: 15 more lines like this were left out suppressed=15 alias=endpoint_away\n$/,
  );
  logger.warn("endpoint_down", "again");
  assert.match(lines[12] ?? "", /again/);
  clock.advance(5000);
  assert.equal(lines.length, 13);
});

test("a steady storm stays bounded", () => {
  const { clock, lines, logger } = setUp();
  for (let index = 0; index < 10_000; index++) {
    logger.warn("storm", "x");
    clock.advance(1);
  }
  assert.ok(lines.length <= 11 * 11, String(lines.length));
  const suppressed = lines.reduce((sum, line) => sum + Number(/suppressed=(\d+)/.exec(line)?.[1] ?? 0), 0);
  clock.advance(2000);
  const last = Number(/suppressed=(\d+)/.exec(lines[lines.length - 1] ?? "")?.[1] ?? 0);
  const written = lines.filter((line) => !line.includes("suppressed")).length;
  assert.ok(suppressed + written === 10_000 || suppressed + last + written === 10_000);
});

test("flushing tells what was left out", async () => {
  const { lines, logger } = setUp();
  for (let index = 0; index < 12; index++) logger.warn("a", "a");
  await logger.flush();
  assert.match(lines[10] ?? "", /suppressed=2/);
  logger.flushNow();
  assert.equal(lines.length, 11);
});
