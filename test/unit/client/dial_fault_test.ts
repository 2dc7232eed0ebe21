import assert from "node:assert/strict";
import { test } from "node:test";
import type { Socket } from "../../../runtime/contract/contract.ts";
import { connectedToItself } from "../../../src/client/dial_fault.ts";

/** @param asked what has been asked for */
function socket(
  local: string,
  localPort: number,
  remote: string,
  remotePort: number,
  asked: string[],
): Socket {
  const ends = { localAddress: local, localPort, remoteAddress: remote, remotePort };
  // The cast: nothing else is looked at.
  return new Proxy(ends, {
    get: (target, name) => {
      asked.push(String(name));
      return Reflect.get(target, name);
    },
  }) as unknown as Socket;
}

test("a socket whose two ends are the same is connected to itself", () => {
  const cases: readonly (readonly [boolean, string, number, string, number])[] = [
    [true, "127.0.0.1", 40_000, "127.0.0.1", 40_000],
    [true, "::1", 1024, "::1", 1024],
    [false, "127.0.0.1", 40_000, "127.0.0.1", 40_001],
    [false, "127.0.0.2", 40_000, "127.0.0.1", 40_000],
    // Of Unix sockets.
    [false, "", 0, "", 0],
  ];
  for (const [expected, ...ends] of cases) {
    assert.equal(connectedToItself(socket(...ends, [])), expected, ends.join(" "));
  }
});

test("our own address is not asked for where no local port can be that of the peer", () => {
  const asked: string[] = [];
  assert.equal(connectedToItself(socket("192.0.2.1", 40_000, "192.0.2.2", 443, asked)), false);
  assert.deepEqual(asked, ["remotePort"]);
});
