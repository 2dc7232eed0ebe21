/** The handshake of SOCKS5, whatever pieces it comes in. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isLasting } from "../../../src/client/dial_fault.ts";
import { Socks5Handshake, type SocksRequest } from "../../../src/client/socks5.ts";

const LOGIN = { user: "usér", password: "p" };
const NAMED: SocksRequest = { host: "one.test", port: 443, login: null };

/** All that is sent, and the handshake at its end, when `bytes` come with a cut in front of `at`. */
function shake(request: SocksRequest, bytes: readonly number[], at: number): [Socks5Handshake, number[]] {
  const handshake = new Socks5Handshake(request);
  const sent = [...handshake.begin()];
  for (const piece of [bytes.slice(0, at), bytes.slice(at)]) {
    sent.push(...handshake.feed(Uint8Array.from(piece)));
  }
  return [handshake, sent];
}

function ascii(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}

const CASES: readonly {
  readonly words: string;
  readonly request: SocksRequest;
  readonly received: readonly number[];
  readonly sent: readonly number[];
}[] = [
  {
    words: "a name, and an IPv4 address in the reply",
    request: NAMED,
    received: [5, 0, 5, 0, 0, 1, 10, 0, 0, 1, 4, 56],
    sent: [5, 1, 0, 5, 1, 0, 3, 8, ...ascii("one.test"), 1, 187],
  },
  {
    words: "an IPv4 address, and a name in the reply",
    request: { ...NAMED, host: "192.0.2.7", port: 80 },
    received: [5, 0, 5, 0, 0, 3, 2, 97, 98, 0, 1],
    sent: [5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 7, 0, 80],
  },
  {
    words: "an IPv6 address, both ways",
    request: { ...NAMED, host: "2001:db8::1", port: 65_535 },
    received: [5, 0, 5, 0, 0, 4, ...Array.from({ length: 18 }, (_, at) => at)],
    sent: [5, 1, 0, 5, 1, 0, 4, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255],
  },
  {
    words: "a login",
    request: { ...NAMED, login: LOGIN },
    received: [5, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    sent: [5, 2, 0, 2, 1, 5, ...ascii("usér"), 1, 112, 5, 1, 0, 3, 8, ...ascii("one.test"), 1, 187],
  },
  {
    words: "a login that is not wanted",
    request: { ...NAMED, login: LOGIN },
    received: [5, 0, 5, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    sent: [5, 2, 0, 2, 5, 1, 0, 3, 8, ...ascii("one.test"), 1, 187],
  },
];

for (const { words, request, received, sent } of CASES) {
  test(`SOCKS5: ${words}, in two pieces of any length, with what comes behind`, () => {
    for (let at = 0; at <= received.length; at++) {
      const [handshake, out] = shake(request, [...received, 1, 2, 3], at);
      assert.ok(handshake.over && handshake.error === null, `cut at ${at}`);
      assert.deepEqual([...handshake.rest], [1, 2, 3]);
      assert.deepEqual(out, sent);
    }
    const [unfinished] = shake(request, received.slice(0, -1), 1);
    assert.equal(unfinished.over, false);
  });
}

test("SOCKS5: what is refused, however little of it has come", () => {
  const refusals: readonly (readonly [readonly number[], string])[] = [
    [[4, 0], "permission_denied"],
    [[72, 84], "permission_denied"],
    [[5, 255], "permission_denied"],
    [[5, 2], "permission_denied"],
    [[5, 1], "permission_denied"],
    [[5, 0, 5, 1], "connection_terminated"],
    [[5, 0, 5, 2], "destination_ip_prohibited"],
    [[5, 0, 5, 3], "destination_ip_unroutable"],
    [[5, 0, 5, 4], "dns_error"],
    [[5, 0, 5, 5], "connection_refused"],
    [[5, 0, 5, 6], "connection_timeout"],
    [[5, 0, 5, 8], "connection_terminated"],
    [[5, 0, 5, 200], "connection_terminated"],
    [[5, 0, 4], "permission_denied"],
    [[5, 0, 5, 0, 0, 2, 0], "permission_denied"],
  ];
  for (const [bytes, code] of refusals) {
    for (let at = 0; at <= bytes.length; at++) {
      const [handshake] = shake(NAMED, bytes, at);
      assert.equal(handshake.error?.code, code, String(bytes));
      assert.ok(isLasting(handshake.error));
    }
  }
  const [login] = shake({ ...NAMED, login: LOGIN }, [5, 2, 1, 1], 2);
  assert.match(login.error?.detail ?? "", /rejected our credentials/);
});
