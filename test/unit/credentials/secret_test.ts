import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Secret,
  SecretFailure,
  type SecretSource,
  type SecretText,
  tokenEnd,
} from "../../../src/credentials/secret.ts";
import { turn } from "../../support/watchdog.ts";

class ScriptedSource implements SecretSource {
  readonly changes: SecretSource["changes"];
  reads = 0;
  next: SecretText | string = { text: "one", validUntil: Infinity };

  constructor(changes: SecretSource["changes"]) {
    this.changes = changes;
  }

  read(): Promise<SecretText> {
    this.reads++;
    return typeof this.next === "string"
      ? Promise.reject(new SecretFailure(this.next))
      : Promise.resolve(this.next);
  }
}

test("what never changes is not looked at again", async () => {
  const source = new ScriptedSource("never");
  const secret = new Secret(source, { text: "x", validUntil: Infinity });
  assert.equal(secret.prepare(0, 0), null);
  assert.equal(await secret.refresh(0), false);
  assert.equal(source.reads, 0);
  assert.equal(secret.text(1e15), "x");
  assert.ok(!JSON.stringify(secret).includes('x"'), "nothing that lists properties finds it");
});

test("a file is looked at once a second while it is used, and what there is serves meanwhile", async () => {
  const source = new ScriptedSource("file");
  const secret = new Secret(source, { text: "zero", validUntil: Infinity });
  assert.equal(secret.prepare(5000, 0), null);
  assert.equal(secret.prepare(5001, 0), null);
  assert.equal(secret.text(0), "zero");
  await turn();
  assert.deepEqual([source.reads, secret.text(0), secret.generation], [1, "one", 2]);
  secret.prepare(5900, 0);
  assert.equal(source.reads, 1);
  source.next = "gone";
  secret.prepare(6000, 0);
  await turn();
  // What was there before may still be good.
  assert.deepEqual([source.reads, secret.text(0), secret.failure], [2, "one", "gone"]);
});

test("a token of a command is made when it is wanted first, and anew before it ends", async () => {
  const source = new ScriptedSource("command");
  const secret = new Secret(source, null);
  source.next = { text: "one", validUntil: 60_000 };
  const looks = [secret.prepare(0, 0), secret.prepare(0, 0)];
  assert.ok(looks.every((look) => look !== null));
  await Promise.all(looks);
  assert.deepEqual([source.reads, secret.text(0)], [1, "one"]);
  assert.equal(secret.prepare(40_000, 40_000), null);
  assert.equal(source.reads, 1);
  source.next = { text: "two", validUntil: 120_000 };
  assert.equal(secret.prepare(55_000, 55_000), null);
  await turn();
  assert.deepEqual([source.reads, secret.text(55_000)], [2, "two"]);
  assert.equal(secret.text(120_000), null);
  source.next = "no luck";
  assert.equal(await secret.prepare(120_000, 120_000), false);
  assert.equal(secret.failure, "no luck");
  // It is not asked as fast as it can fail.
  assert.equal(secret.prepare(120_500, 120_500), null);
  assert.notEqual(secret.prepare(121_000, 121_000), null);
});

test("when a token ends", () => {
  const jwt = (claims: unknown) =>
    `h.${btoa(JSON.stringify(claims)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}.s`;
  assert.equal(tokenEnd(jwt({ exp: 5 })), 5000);
  for (
    const token of [jwt({}), jwt({ exp: "5" }), jwt({ exp: null }), jwt(null), "abc", "a.b.c", "", "a.%.c"]
  ) {
    assert.equal(tokenEnd(token), null, token);
  }
});
