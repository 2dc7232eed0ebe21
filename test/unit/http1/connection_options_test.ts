import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionOption, connectionOptions, namedOptions } from "../../../src/http1/connection_options.ts";
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
    assert.deepEqual(namedOptions(head), names);
  });
}
