/** Small writes of a turn leave joined, in order, each to its own connection. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { OUTPUT_BUFFER_BYTES, OutputBuffer, type OutputOwner } from "../../../src/conn/output_buffer.ts";

class Owner implements OutputOwner {
  readonly writes: string[] = [];
  writeNow(bytes: Uint8Array, from: number, to: number): void {
    this.writes.push(new TextDecoder("latin1").decode(bytes.subarray(from, to)));
  }
  get all(): string {
    return this.writes.join("");
  }
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

test("a head and its body leave in one write, at the end of the turn", () => {
  const output = new OutputBuffer();
  const owner = new Owner();
  output.text(owner, "HTTP/1.1 200 OK\r\n\r\n");
  output.bytes(owner, bytes("xxbodyxx"), 2, 6);
  output.text(owner, "\u00e9");
  assert.deepEqual(owner.writes, []);
  output.flush();
  assert.equal(owner.writes.length, 1);
  assert.equal(owner.all, "HTTP/1.1 200 OK\r\n\r\nbody\u00e9");
  output.flush();
  assert.equal(owner.writes.length, 1);
});

test("when another connection begins to write, the first one's bytes go out", () => {
  const output = new OutputBuffer();
  const [a, b] = [new Owner(), new Owner()];
  output.text(a, "a1");
  output.text(b, "b1");
  output.bytes(a, bytes("a2"), 0, 2);
  output.bytes(b, bytes("b2"), 0, 2);
  output.flush();
  assert.deepEqual([a.writes, b.writes], [["a1", "a2"], ["b1", "b2"]]);
});

test("large bodies are not copied when nothing is to be joined, and joined when it saves a write", () => {
  const output = new OutputBuffer();
  const owner = new Owner();
  const large = bytes("x".repeat(100_000));
  output.bytes(owner, large, 0, large.length);
  assert.equal(owner.writes.length, 1);
  output.text(owner, "head");
  output.bytes(owner, large, 0, large.length);
  output.flush();
  assert.equal(owner.writes.length, 2);
  assert.equal(owner.writes[1], "head" + "x".repeat(100_000));
});

test("nothing is lost or reordered at the limit of the buffer", () => {
  for (const size of [OUTPUT_BUFFER_BYTES - 1, OUTPUT_BUFFER_BYTES, OUTPUT_BUFFER_BYTES + 1]) {
    const output = new OutputBuffer();
    const owner = new Owner();
    const text = "t".repeat(size);
    output.text(owner, "1");
    output.text(owner, text);
    output.bytes(owner, bytes("2"), 0, 1);
    output.bytes(owner, bytes("b".repeat(size)), 0, size);
    output.text(owner, "3");
    output.flush();
    assert.equal(owner.all, `1${text}2${"b".repeat(size)}3`);
  }
});

test("a connection that is gone takes its bytes along, and nobody else's", () => {
  const output = new OutputBuffer();
  const [a, b] = [new Owner(), new Owner()];
  output.text(a, "never");
  output.forget(a);
  output.flush();
  output.text(b, "kept");
  output.forget(a);
  output.flush();
  assert.deepEqual([a.writes, b.writes], [[], ["kept"]]);
});

test("any mix of sizes and owners arrives whole and in order", () => {
  let state = 3;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const output = new OutputBuffer();
  const owners = [new Owner(), new Owner(), new Owner()];
  const expected = ["", "", ""];
  for (let i = 0; i < 500; i++) {
    const which = random(3);
    const owner = owners[which] as Owner;
    const size = random([10, 5000, 200_000][random(3)] as number);
    const text = String.fromCharCode(97 + random(26)).repeat(size);
    if (random(2) === 0) output.text(owner, text);
    else output.bytes(owner, bytes(text), 0, size);
    if (random(10) === 0) output.flush();
    expected[which] += text;
  }
  output.flush();
  for (const [i, owner] of owners.entries()) assert.ok(owner.all === expected[i], `owner ${i}`);
});

test("with room in front of a large body the head is put there: one write, no copy of the body", () => {
  const output = new OutputBuffer();
  const owner = new Owner();
  const chunk = bytes("dead head" + "x".repeat(50_000));
  let whole: Uint8Array | null = null;
  owner.writeNow = (written, from, to) => {
    whole = written;
    owner.writes.push(new TextDecoder("latin1").decode(written.subarray(from, to)));
  };
  output.text(owner, "our head");
  output.bytes(owner, chunk, 9, chunk.length, 9);
  assert.equal(whole, chunk, "written from where it lay");
  output.flush();
  assert.deepEqual(owner.writes, ["our head" + "x".repeat(50_000)]);
});

test("without enough room, or for another connection, nothing in front of a body is overwritten", () => {
  const output = new OutputBuffer();
  const [a, b] = [new Owner(), new Owner()];
  const chunk = bytes("old" + "x".repeat(50_000));
  output.text(a, "longer");
  output.bytes(a, chunk, 3, chunk.length, 3);
  output.text(a, "tail");
  output.bytes(b, chunk, 3, chunk.length, 3);
  output.flush();
  assert.equal(a.all, "longer" + "x".repeat(50_000) + "tail");
  assert.equal(b.all, "x".repeat(50_000));
  assert.equal(new TextDecoder().decode(chunk.subarray(0, 3)), "old");
});
