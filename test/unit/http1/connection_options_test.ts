import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionOption, connectionOptions } from "../../../src/http1/connection_options.ts";
import { keptFields } from "../../../src/http1/encode.ts";
import { Field, maskOf } from "../../../src/http/field.ts";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { MessageParser } from "../../../src/http1/message_parser.ts";
import { bytesOf } from "../../vectors/replay.ts";
import { requestHead } from "./support.ts";

const { close, keepAlive, upgrade, te, other, malformed, framing } = ConnectionOption;

const CASES: readonly (readonly [readonly string[], number, readonly string[] | null])[] = [
  [[], 0, null],
  [[""], 0, null],
  [["close"], close, null],
  [["CLOSE"], close, null],
  [["keep-alive"], keepAlive, null],
  [["Keep-Alive, Upgrade"], keepAlive | upgrade, null],
  [["keep-alive,close"], keepAlive | close, null],
  [["close", "Upgrade", "TE"], close | upgrade | te, null],
  [[" , ,\tclose\t,"], close, null],
  [["closed"], other, ["closed"]],
  [["X-A, x-b", "x-a"], other, ["x-a", "x-b"]],
  [["close, X_Y"], close | other, ["x_y"]],
  [["Cookie, Authorization, Via, X-Forwarded-For, X-Forwarded-Port, Forwarded"], other, null],
  [["content-length"], other | framing, null],
  [["Transfer-Encoding, x-a"], other | framing, ["x-a"]],
  [["host"], other | framing, null],
  [["a b"], malformed, null],
  [["close, \xe9"], close | malformed, null],
  [["close;a"], malformed, null],
];

for (const [values, flags, names] of CASES) {
  test(`Connection ${JSON.stringify(values)}`, () => {
    const head = requestHead("GET / HTTP/1.1", ...values.map((value) => `Connection: ${value}`));
    assert.equal(connectionOptions(head), flags);
    assert.equal(connectionOptions(head), flags, "asked again");
    assert.deepEqual(head.section.hopNames, names === null ? null : new Set(names));
  });
}

test("as many options as a head can hold take a moment, not a minute", () => {
  // 100,000 different names in the largest head that can be configured; each compared with all others takes minutes.
  const count = 100_000;
  const names = Array.from({ length: count }, (_, index) => `a${index.toString(36)}`);
  const parser = new MessageParser("request", { ...DEFAULT_LIMITS, maxHeadBytes: 1024 * 1024 });
  parser.feed(bytesOf(`GET / HTTP/1.1\r\nConnection: ${names.join(",")}\r\nA7: 1\r\nB: 2\r\n\r\n`));
  const begin = performance.now();
  assert.equal(parser.next(), "head");
  const head = parser.head;
  assert.ok(head !== null);
  const named = head.section.hopNames;
  assert.equal(named?.size, count);
  assert.equal(keptFields(head.section, maskOf(Field.connection), named), "B: 2\r\n");
  assert.ok(performance.now() - begin < 5000);
});
