import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Field,
  FIELD_NAMES,
  fieldIdOf,
  idOfName,
  isMasked,
  MASKED_IDS,
  maskOf,
  slotOf,
} from "../../../src/http/field.ts";
import { TOKEN } from "../../../src/bytes/character.ts";
import { bytesOf } from "../../vectors/replay.ts";

function idOf(name: string): number {
  const bytes = bytesOf(`<${name}>`);
  const classes = [...bytes.subarray(1, -1)].reduce((all, byte) => all | (TOKEN[byte] as number), 0);
  return fieldIdOf(bytes, 1, bytes.length - 1, classes);
}

test("each id is one field's, and two masks hold them all", () => {
  const ids = Object.values(Field);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.every((id) => id >= 0 && id < 2 * MASKED_IDS));
  const named = FIELD_NAMES.filter((name) => name !== "");
  assert.equal(new Set(named).size, named.length);
  assert.equal(FIELD_NAMES[Field.contentLength], "content-length");
  assert.equal(FIELD_NAMES[Field.secWebsocketAccept], "sec-websocket-accept");
  assert.equal(FIELD_NAMES[Field.te], "te");
  assert.equal(idOfName(""), Field.other);
});

test("a mask holds ids of the first half only", () => {
  const mask = maskOf(Field.host, Field.contentLength, Field.strictTransportSecurity);
  const masked = Object.values(Field).filter((id) => isMasked(id, mask));
  assert.deepEqual(masked, [Field.host, Field.contentLength, Field.strictTransportSecurity]);
  // @ts-expect-error: its bit would be another field's
  maskOf(Field.userAgent);
  // @ts-expect-error: neither is a number that is not known to be such an id
  maskOf(Field.host as number);
  for (const id of Object.values(Field)) {
    assert.equal(isMasked(id, -1), id > 0 && id < MASKED_IDS, `${id}`);
  }
});

test("no two names share a slot of the hash", () => {
  const names = [...FIELD_NAMES.filter((name) => name !== ""), "x-real-ip", "http2-settings", "proxy"];
  const slots = names.map((name) =>
    slotOf(name.length, name.charCodeAt(0), name.charCodeAt(name.length - 1))
  );
  assert.equal(new Set(slots).size, names.length);
});

test("every known name is recognised in any case", () => {
  FIELD_NAMES.forEach((name, id) => {
    if (name === "") return;
    assert.equal(idOf(name), id, name);
    assert.equal(idOf(name.toUpperCase()), id, name);
    assert.equal(idOf(name[0]?.toUpperCase() + name.slice(1)), id, name);
  });
});

test("a name that differs in one character is another", () => {
  FIELD_NAMES.forEach((name, id) => {
    for (let i = 0; i < name.length; i++) {
      for (const other of "!*+.0Zq~^`|_'") {
        const changed = name.slice(0, i) + other + name.slice(i + 1);
        if (changed.toLowerCase() !== name && idOf(changed) === id) assert.fail(changed);
      }
    }
    if (name !== "") {
      assert.notEqual(idOf(name + "s"), id);
      assert.notEqual(idOf(name.slice(0, -1) || "q"), id);
    }
  });
});

test("case folding does not confuse other characters with letters or the hyphen", () => {
  assert.equal(idOf("HTTP2-SETTINGS"), Field.neverForwarded);
  assert.equal(idOf("content_length"), Field.underscored);
});

test("families of names", () => {
  assert.equal(idOf("X-Forwarded-Port"), Field.xForwardedOther);
  assert.equal(idOf("x-forwarded-for-x"), Field.xForwardedOther);
  assert.equal(idOf("x-forwarded-"), Field.xForwardedOther);
  assert.equal(idOf("X-Forwarded-A_B"), Field.xForwardedOther);
  assert.equal(idOf("X-Real-IP"), Field.xForwardedOther);
  assert.equal(idOf("Proxy"), Field.neverForwarded);
  assert.equal(idOf("PROXY"), Field.neverForwarded);
  assert.equal(idOf("Prox"), Field.other);
  assert.equal(idOf("Proxy2"), Field.other);
  assert.equal(idOf("Pr0xy"), Field.other);
  assert.equal(idOf("x-forwarded"), Field.other);
  assert.equal(idOf("x-forwardedfor"), Field.other);
  assert.equal(idOf("X_Forwarded_For"), Field.underscored);
  assert.equal(idOf("_"), Field.underscored);
  assert.equal(idOf("Cookie2"), Field.other);
  assert.equal(idOf("a"), Field.other);
});
