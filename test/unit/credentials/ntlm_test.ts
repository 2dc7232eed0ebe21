import assert from "node:assert/strict";
import { test } from "node:test";
import { digests } from "../../../runtime/shared/digests.ts";
import { md4 } from "../../../src/credentials/ntlm/md4.ts";
import {
  authenticateMessage,
  negotiateMessage,
  readChallengeMessage,
} from "../../../src/credentials/ntlm/ntlm_messages.ts";
import { hmacMd5, passwordKey, proofs, utf16 } from "../../../src/credentials/ntlm/ntlm_proof.ts";

const ascii = (text: string) => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text: string) => Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));
const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
const unbase64 = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

test("MD4: the suite of RFC 1320, section A.5", () => {
  const digits = "1234567890".repeat(8);
  for (
    const [text, digest] of [
      ["", "31d6cfe0d16ae931b73c59d7e0c089c0"],
      ["a", "bde52cb31de33e46245e05fbdbd6fb24"],
      ["abc", "a448017aaf21d8525fc10ae87aa6729d"],
      ["message digest", "d9130a8164549fe818874806e1c7014b"],
      ["abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"],
      [digits, "e33b4ddc9c38f2199c3e7b164fcc0536"],
    ] as const
  ) assert.equal(hex(md4(ascii(text))), digest, text);
});

test("HMAC-MD5: RFC 2202, with keys shorter and longer than a block", () => {
  assert.equal(
    hex(hmacMd5(digests, new Uint8Array(16).fill(0x0b), ascii("Hi There"))),
    "9294727a3638bb1c13f48ef8158bfc9d",
  );
  assert.equal(
    hex(
      hmacMd5(
        digests,
        new Uint8Array(80).fill(0xaa),
        ascii("Test Using Larger Than Block-Size Key - Hash Key First"),
      ),
    ),
    "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd",
  );
});

/** [MS-NLMP] 4.2.1 and 4.2.4. */
const TARGET_INFO = unhex(
  "02000c0044006f006d00610069006e0001000c005300650072007600650072000000000 0".replace(" ", ""),
);
const SERVER_CHALLENGE = unhex("0123456789abcdef");
const CLIENT_CHALLENGE = new Uint8Array(8).fill(0xaa);

test("NTLM version 2: the example of MS-NLMP, section 4.2.4", () => {
  const key = passwordKey(digests, "User", "Domain", "Password");
  assert.equal(hex(key), "0c868a403bfd7a93a3001ef22ef02e3f");
  const { nt, lm } = proofs(digests, key, {
    serverChallenge: SERVER_CHALLENGE,
    clientChallenge: CLIENT_CHALLENGE,
    time: 0n,
    targetInfo: TARGET_INFO,
    serverTime: false,
  });
  assert.equal(hex(nt.subarray(0, 16)), "68cd0ab851e51c96aabc927bebef6a1c");
  assert.equal(hex(lm), "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa");
});

/** The server's message of the same example. */
function challengeMessage(targetInfo = TARGET_INFO, flags = 0xe28a8233): Uint8Array {
  const name = utf16("Server");
  const bytes = new Uint8Array(56 + name.length + targetInfo.length);
  bytes.set(ascii("NTLMSSP\0"));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, 2, true);
  view.setUint16(12, name.length, true);
  view.setUint16(14, name.length, true);
  view.setUint32(16, 56, true);
  view.setUint32(20, flags, true);
  bytes.set(SERVER_CHALLENGE, 24);
  view.setUint16(40, targetInfo.length, true);
  view.setUint16(42, targetInfo.length, true);
  view.setUint32(44, 56 + name.length, true);
  bytes.set(name, 56);
  bytes.set(targetInfo, 56 + name.length);
  return bytes;
}

test("the messages", () => {
  const first = unbase64(negotiateMessage());
  assert.equal(new TextDecoder().decode(first.subarray(0, 7)), "NTLMSSP");
  assert.equal(first.length, 32);
  const challenge = readChallengeMessage(base64(challengeMessage()));
  assert.ok(challenge !== null);
  assert.deepEqual(challenge.serverChallenge, SERVER_CHALLENGE);
  assert.deepEqual(challenge.targetInfo, TARGET_INFO);
  assert.equal(challenge.time, null);
  const login = { user: "User", domain: "Domain", password: "Password" };
  const last = unbase64(authenticateMessage(digests, login, challenge, 0, CLIENT_CHALLENGE));
  const view = new DataView(last.buffer);
  const part = (at: number) =>
    last.subarray(view.getUint32(at + 4, true), view.getUint32(at + 4, true) + view.getUint16(at, true));
  assert.equal(view.getUint32(8, true), 3);
  assert.equal(hex(part(28)), hex(utf16("Domain")));
  assert.equal(hex(part(36)), hex(utf16("User")));
  // The time is that of 1970.
  assert.equal(hex(part(20).subarray(16, 32)), "010100000000000000803ed5deb19d01");
  assert.equal(part(12).length, 24);
});

test("the server's time is used, and then there is one proof only", () => {
  const timed = unhex("0700080001020304050607080000 0000".replace(" ", ""));
  const challenge = readChallengeMessage(base64(challengeMessage(timed)));
  assert.equal(challenge?.time, 0x0807060504030201n);
  const login = { user: "u", domain: "", password: "p" };
  const last = unbase64(authenticateMessage(digests, login, challenge as NonNullable<typeof challenge>, 5));
  const view = new DataView(last.buffer);
  assert.equal(hex(last.subarray(view.getUint32(16, true), view.getUint32(16, true) + 24)), "0".repeat(48));
});

test("a message whose lengths lie is refused, whichever bytes are cut or changed", () => {
  const whole = challengeMessage();
  for (let length = 0; length < whole.length; length++) {
    assert.equal(readChallengeMessage(base64(whole.subarray(0, length))), null, String(length));
  }
  for (let at = 0; at < whole.length; at++) {
    for (const value of [0, 0x7f, 0xff]) {
      const bytes = whole.slice();
      bytes[at] = value;
      readChallengeMessage(base64(bytes));
    }
  }
  assert.equal(readChallengeMessage("%%%"), null);
  assert.equal(readChallengeMessage("A".repeat(100_000)), null);
});
