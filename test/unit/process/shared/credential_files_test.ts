/** Where secrets of credentials come from, and that what is wrong with one is told without it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SecretConfig } from "../../../../src/config/values/config.ts";
import { SecretFailure, type SecretText } from "../../../../src/credentials/secret.ts";
import { readCredentialFiles, secretSource } from "../../../../src/process/shared/credential_files.ts";
import { FakeClock } from "../../../support/fake_clock.ts";
import { MemoryCommand } from "../../../support/memory_command.ts";
import { MemorySystem } from "../../../support/memory_system.ts";

const clock = new FakeClock();

async function read(
  secret: SecretConfig,
  files: Readonly<Record<string, string>>,
  env = {},
): Promise<string> {
  const source = secretSource(new MemorySystem({ files, env }), clock, secret);
  try {
    return (await source?.read())?.text ?? "none";
  } catch (error) {
    assert.ok(error instanceof SecretFailure);
    return `! ${error.message}`;
  }
}

test("a password is one line of a file, a token a word", async () => {
  const password = (text: string) => read({ kind: "file", what: "password", path: "/p" }, { "/p": text });
  assert.equal(await password("a b"), "a b");
  assert.equal(await password(" geheim ü\r\n"), " geheim ü");
  assert.equal(await password("\n"), "! /p is empty");
  assert.match(await password("one\ntwo\n"), /^! \/p must hold one line/);
  assert.match(await password("a\u0000"), /^! \/p must hold one line/);
  const token = (text: string) => read({ kind: "file", what: "token", path: "/t" }, { "/t": text });
  assert.equal(await token(" \nabc.def-_~+/==\n\n"), "abc.def-_~+/==");
  assert.equal(await token("abc def"), "! /t does not hold a token (RFC 6750 §2.1)");
  assert.equal(await token(" "), "! /t is empty");
  assert.match(await read({ kind: "file", what: "token", path: "/x" }, {}), /^! cannot be read: /);
});

test("a password in the environment", async () => {
  const secret: SecretConfig = { kind: "env", what: "password", variable: "PW" };
  assert.equal(await read(secret, {}, { PW: "sesame" }), "sesame");
  assert.equal(await read(secret, {}), "! there is no environment variable PW");
  assert.ok(!(await read(secret, {}, { PW: "sesame\nopen" })).includes("sesame"));
});

/** A command that a test plays. */
function command(
  cacheMs = 60_000,
): { readonly child: MemoryCommand; readonly clock: FakeClock; readonly token: Promise<SecretText> } {
  const clock = new FakeClock();
  let child: MemoryCommand | null = null;
  const system = new MemorySystem();
  system.spawn = (options, events) => (child = new MemoryCommand(5, options, events));
  const source = secretSource(system, clock, {
    kind: "command",
    what: "token",
    command: ["get", "it"],
    cacheMs,
  });
  const token = (source as NonNullable<typeof source>).read();
  token.catch(() => {});
  return { child: child as unknown as MemoryCommand, clock, token };
}

test("a command prints a token, which ends when it says so or after a time", async () => {
  const plain = command(5000);
  plain.child.print("ab");
  plain.child.print("c\n");
  plain.child.end({ code: 0 });
  assert.deepEqual(await plain.token, { text: "abc", validUntil: plain.clock.wall() + 5000 });
  const jwt = command();
  const claims = btoa(JSON.stringify({ exp: 2_000_000_000 })).replaceAll("=", "");
  jwt.child.print(`eyJhbGciOiJub25lIn0.${claims}.sig`);
  jwt.child.end({ code: 0 });
  assert.equal((await jwt.token).validUntil, 2_000_000_000_000);
});

test("a command that fails is told of, without what it printed", async () => {
  const ends: readonly (readonly [(played: ReturnType<typeof command>) => void, RegExp])[] = [
    [({ child }) => child.end({ code: 3 }), /^the token command get ended with code 3$/],
    [({ child }) => child.end({ signal: "SIGSEGV" }), /was ended by SIGSEGV$/],
    [
      ({ child }) => child.end({ failure: "there is no program get in PATH" }),
      /there is no program get in PATH$/,
    ],
    [({ child }) => {
      child.print("hush hush");
      child.end({ code: 0 });
    }, /^what get prints does not hold a token/],
    [({ child }) => child.end({ code: 0 }), /^what get prints is empty$/],
    [({ child }) => child.print("x".repeat(20_000)), /prints too much$/],
    [({ clock }) => void clock.advance(30_000), /takes longer than 30 s$/],
  ];
  for (const [act, words] of ends) {
    const played = command();
    act(played);
    await assert.rejects(played.token, (error: Error) => {
      assert.match(error.message, words);
      assert.ok(!error.message.includes("hush"));
      return error instanceof SecretFailure;
    });
  }
});

test("all that can be read is read, and a fingerprint changes with a password only", async () => {
  const entry = (secret: SecretConfig) => ({
    name: "a",
    schemes: ["basic" as const],
    user: "u",
    domain: "",
    service: "",
    helper: null,
    cleartext: false,
    secret,
  });
  const password = entry({ kind: "file", what: "password", path: "/p" });
  const token = entry({ kind: "file", what: "token", path: "/t" });
  const print = async (files: Readonly<Record<string, string>>) => {
    const { faults, fingerprint } = await readCredentialFiles(new MemorySystem({ files }), [password, token]);
    assert.deepEqual(faults, []);
    assert.ok(!/sesame|open/.test(fingerprint));
    return fingerprint;
  };
  const first = await print({ "/p": "sesame", "/t": "open" });
  assert.equal(await print({ "/p": "sesame\n", "/t": "other" }), first);
  assert.notEqual(await print({ "/p": "open", "/t": "open" }), first);
  const { faults } = await readCredentialFiles(new MemorySystem(), [password]);
  assert.deepEqual(faults.map(({ credential, option }) => [credential, option]), [["a", "password_file"]]);
});
