import assert from "node:assert/strict";
import { test } from "node:test";
import { type ExchangeRecord, newExchangeRecord } from "../../../src/exchange/exchange_record.ts";
import { FieldSection } from "../../../src/http/field_section.ts";
import { SectionMemo } from "../../../src/http/section_memo.ts";
import { AccessLog } from "../../../src/observe/access_log.ts";
import {
  formatCombined,
  formatCommon,
  formatJson,
  JSON_KEYS,
} from "../../../src/observe/access_log_format.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import { MemorySink } from "../../support/memory_system.ts";

function record(fields: Partial<ExchangeRecord> = {}): ExchangeRecord {
  return {
    ...newExchangeRecord(),
    id: 7,
    startedAtWallMs: Date.UTC(2026, 9, 4, 12, 0, 0, 5),
    clientAddress: "192.0.2.1",
    clientPort: 5000,
    method: "GET",
    target: "/a?b=c",
    host: "example.com",
    route: "example.com/",
    upstream: "app",
    endpoint: "127.0.0.1:3000",
    status: 200,
    requestHeadBytes: 100,
    responseBodyBytes: 12,
    bytesIn: 100,
    bytesOut: 200,
    attempts: 1,
    totalMs: 1.23456,
    headMs: 0.1 + 0.2,
    userAgent: "curl/8",
    ...fields,
  };
}

/** Everything a peer may try: ends of lines, quotes, terminal controls, Unicode, halves of surrogate pairs. */
const HOSTILE =
  "a\"b\\c\r\n\tX: y\u0000\u001b[2J\u007f\u0080\u00a0é\u2028\u202e\ud800 \ud83d\ude00' } ] 200 -";
const FIELDS = [
  "clientAddress",
  "method",
  "target",
  "host",
  "route",
  "upstream",
  "endpoint",
  "detail",
  "userAgent",
  "referer",
] as const;

test("a JSON line has all keys in their documented order", () => {
  const line = formatJson(record());
  assert.ok(line.endsWith("}\n"));
  const parsed: Record<string, unknown> = JSON.parse(line);
  assert.deepEqual(Object.keys(parsed), JSON_KEYS.map(([key]) => key));
  assert.equal(parsed["time"], "2026-10-04T12:00:00.005Z");
  assert.equal(parsed["client"], "192.0.2.1");
  assert.equal(parsed["target"], "/a?b=c");
  assert.equal(parsed["protocol"], "HTTP/1.1");
  assert.equal(parsed["status"], 200);
  assert.equal(parsed["total_ms"], 1.235);
  assert.equal(parsed["head_ms"], 0.3);
  assert.equal(parsed["reused"], false);
  assert.equal(parsed["reason"], "");
});

test("common and combined are what the old tools expect", () => {
  assert.equal(
    formatCommon(record()),
    '192.0.2.1 - - [04/Oct/2026:12:00:00 +0000] "GET /a?b=c HTTP/1.1" 200 12\n',
  );
  assert.equal(
    formatCombined(record({ protocol: "1.0", referer: "http://x/", responseBodyBytes: 0 })),
    '192.0.2.1 - - [04/Oct/2026:12:00:00 +0000] "GET /a?b=c HTTP/1.0" 200 - "http://x/" "curl/8"\n',
  );
  assert.equal(
    formatCombined({ ...newExchangeRecord(), startedAtWallMs: 0 }),
    '- - - [01/Jan/1970:00:00:00 +0000] "-" 000 - "-" "-"\n',
  );
});

for (const field of FIELDS) {
  test(`log injection through ${field}`, () => {
    const hostile = record({ [field]: HOSTILE });
    for (const format of [formatJson, formatCommon, formatCombined]) {
      const line = format(hostile);
      assert.match(line, /^[\x20-\x7e]+\n$/);
    }
    const parsed: Record<string, unknown> = JSON.parse(formatJson(hostile));
    assert.equal(Object.keys(parsed).length, JSON_KEYS.length);
    assert.ok(Object.values(parsed).includes(HOSTILE), "JSON gives back what was received");
    for (const format of [formatCommon, formatCombined]) {
      const bare = format(hostile).replace(/\\\\/g, "").replace(/\\"/g, "");
      const quotes = bare.split('"').length - 1;
      assert.equal(quotes, format === formatCommon ? 2 : 6, bare);
    }
  });
}

test("every UTF-16 unit is escaped so that JSON gives it back", () => {
  for (let start = 0; start < 0x10000; start += 256) {
    const text = Array.from({ length: 256 }, (_, index) => String.fromCharCode(start + index)).join("");
    const line = formatJson(record({ target: text }));
    assert.match(line, /^[\x20-\x7e]+\n$/);
    assert.equal(JSON.parse(line).target, text);
    assert.match(formatCombined(record({ userAgent: text })), /^[\x20-\x7e]+\n$/);
  }
});

test("long values are cut", () => {
  const long = "é".repeat(1_000_000);
  const line = formatJson(
    record({ target: long, host: long, userAgent: long, referer: long, detail: long, method: long }),
  );
  assert.ok(line.length < 50_000);
  const parsed = JSON.parse(line);
  assert.equal(parsed.target.length, 2048 + 3);
  assert.ok(parsed.target.endsWith("..."));
  assert.equal(parsed.host.length, 256 + 3);
});

test("credentials in URLs are masked", () => {
  const url = "http://user:secret@example.com/x";
  for (const format of [formatJson, formatCommon, formatCombined]) {
    const line = format(record({ target: url, referer: url }));
    assert.ok(!line.includes("secret"), line);
  }
  assert.ok(formatJson(record({ target: "/a@b?c=d@e" })).includes("/a@b?c=d@e"));
});

test("numbers that JSON has not do not get into it", () => {
  const line = formatJson(record({ totalMs: NaN, headMs: Infinity, startedAtWallMs: NaN }));
  assert.equal(JSON.parse(line).total_ms, 0);
});

test("what a format wrote of shared fields is used again by that format only", () => {
  const section = new FieldSection("", [], 0, null, new SectionMemo());
  const log = new AccessLog(new MemorySink(1, 1 << 20, () => {}), new FakeClock(), "json");
  assert.equal(log.wantsAgent(section), true);
  const first = formatJson(record({ section, target: "/1" }));
  assert.equal(log.wantsAgent(section), false);
  assert.equal(formatJson(record({ section, target: "/2", userAgent: "" })), first.replace("/1", "/2"));
  assert.match(formatCombined(record({ section })), /"curl\/8"\n$/);
  assert.equal(log.wantsAgent(section), true);
  assert.equal(formatJson(record({ section, target: "/1" })), first);
});

test("milliseconds have at most three decimals and no zeros at their end", () => {
  for (
    const [value, text] of [
      [0, "0"],
      [0.0004, "0"],
      [0.001, "0.001"],
      [0.0996, "0.1"],
      [0.9999, "1"],
      [12.5, "12.5"],
      [1234.567, "1234.567"],
      [3e9, "3000000000"],
      [2e10 + 0.25, "20000000000.25"],
      [-0.0015, "-0.001"],
    ] as const
  ) {
    assert.ok(formatJson(record({ totalMs: value })).includes(`"total_ms":${text},`), `${value}`);
  }
});

test("lines are handed on in pieces: at 64 KiB, or after 100 ms", () => {
  const clock = new FakeClock();
  let text = "";
  let writes = 0;
  const sink = new MemorySink(1, 1 << 20, (piece) => {
    text += piece;
    writes++;
  });
  const log = new AccessLog(sink, clock, "common");
  assert.equal(log.wantsAgent(new FieldSection("", [])), false);
  log.record(record());
  log.record(record());
  clock.advance(99);
  assert.equal(writes, 0);
  clock.advance(1);
  assert.equal(writes, 1);
  assert.equal(text.split("\n").length, 3);
  const line = formatCommon(record());
  for (let index = 0; index <= 65_536 / line.length; index++) log.record(record());
  assert.equal(writes, 2);
  clock.advance(1000);
  assert.equal(writes, 2, "nothing was left");
});

test("that lines are being lost is told while it happens, once a minute, and at the end", async () => {
  const clock = new FakeClock();
  const sink = new MemorySink(1, 1, () => {});
  const told: string[] = [];
  const log = new AccessLog(sink, clock, "common", (pieces, cause) => told.push(`${pieces}: ${cause}`));
  sink.stalled = true;
  for (let index = 0; index < 3; index++) {
    log.record(record());
    clock.advance(100);
  }
  assert.deepEqual(told.splice(0), ["1: its target does not keep up"]);
  clock.advance(60_000);
  log.record(record());
  clock.advance(100);
  log.record(record());
  assert.deepEqual(told.splice(0), ["4: its target does not keep up"]);
  await log.flush();
  assert.deepEqual(told, ["5: its target does not keep up"]);
});

test("flush and reopen hand on what is left first", async () => {
  const clock = new FakeClock();
  let text = "";
  const sink = new MemorySink("/log", 1 << 20, (piece) => text += piece);
  const log = new AccessLog(sink, clock, "combined");
  assert.ok(log.wantsAgent);
  log.record(record());
  const reopening = log.reopen();
  assert.equal(text.split("\n").length, 2);
  await reopening;
  assert.equal(sink.reopened, 1);
  log.record(record());
  await log.flush();
  assert.equal(text.split("\n").length, 3);
  log.record(record());
  log.flushNow();
  assert.equal(text.split("\n").length, 4);
});

test("a line that others could break in two is made to fit", () => {
  for (const format of ["json", "combined"] as const) {
    const clock = new FakeClock();
    let text = "";
    const sink = new MemorySink(1, 1e6, (more) => (text += more));
    sink.wholeLineBytes = 4096;
    const log = new AccessLog(sink, clock, format);
    const odd = "\u00e9".repeat(5000);
    log.record(
      record({ target: `/${odd}`, referer: odd, userAgent: odd, host: odd, detail: odd, method: odd }),
    );
    log.record(record({ target: "/short" }));
    log.flushNow();
    const lines = text.split("\n");
    assert.equal(lines.length, 3);
    assert.ok((lines[0]?.length ?? 0) < 4096, `${lines[0]?.length}`);
    assert.ok((lines[0]?.length ?? 0) > 1000, "no more is cut than has to be");
    assert.match(lines[1] ?? "", /short/);
    if (format === "json") JSON.parse(lines[0] ?? "");
  }
});

test("what a script says of a request", () => {
  const logFields = { arm: "b", tries: 2, odd: HOSTILE, wrong: NaN };
  const line = formatJson(record({ logFields }));
  const parsed = JSON.parse(line);
  assert.deepEqual(parsed.script, { ...logFields, odd: parsed.script.odd, wrong: "NaN" });
  assert.ok(/^[\x20-\x7e]*\n$/.test(line));
  assert.equal("script" in JSON.parse(formatJson(record())), false);
  assert.equal(formatCommon(record({ logFields })), formatCommon(record()));
});
