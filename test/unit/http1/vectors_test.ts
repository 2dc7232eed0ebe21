import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "../../../src/http/limits.ts";
import { VECTORS } from "../../vectors/all.ts";
import type { ReplayOptions } from "../../vectors/replay.ts";
import { bytesOf, replay } from "../../vectors/replay.ts";
import type { Vector } from "../../vectors/vector.ts";

/** Every split in two is quadratic; above this size only some splits are tried. */
const EVERY_SPLIT_BELOW_BYTES = 600;

const FOLLOWING = {
  request: {
    bytes: "GET / HTTP/1.0\r\n\r\n",
    expect: ["head GET / HTTP/1.0 | none", "end"],
  },
  response: {
    bytes: "HTTP/1.1 204 Following\r\n\r\n",
    expect: ["head HTTP/1.1 204 Following | none", "end"],
  },
} as const;

function optionsOf(vector: Vector, suspend: boolean): ReplayOptions {
  return {
    role: vector.role,
    limits: { ...DEFAULT_LIMITS, ...vector.limits },
    methods: vector.methods ?? ["GET"],
    ended: vector.ended ?? false,
    suspend,
  };
}

/** Leaves fields out when the vector does not speak of them. */
function comparable(vector: Vector, transcript: readonly string[]): readonly string[] {
  if (vector.expect.some((entry) => entry.startsWith("field "))) return transcript;
  return transcript.filter((entry) => !entry.startsWith("field "));
}

function check(vector: Vector, pieces: readonly Uint8Array[], expect: readonly string[], how: string): void {
  for (const suspend of [false, true]) {
    const transcript = comparable(vector, replay(pieces, optionsOf(vector, suspend)));
    assert.deepEqual(transcript, expect, `${vector.name}, ${how}${suspend ? ", suspended" : ""}`);
  }
}

function checkEverySplit(vector: Vector): void {
  const bytes = bytesOf(vector.bytes);
  check(vector, [bytes], vector.expect, "whole");
  const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
  check(vector, single, vector.expect, "byte by byte");
  const step = bytes.length < EVERY_SPLIT_BELOW_BYTES ? 1 : Math.ceil(bytes.length / 40);
  for (let at = 1; at < bytes.length; at += step) {
    check(vector, [bytes.subarray(0, at), bytes.subarray(at)], vector.expect, `split at ${at}`);
  }
}

/** The same with another message behind it, in one piece and with the split between them. */
function checkFollowed(vector: Vector): void {
  const last = vector.expect.at(-1) ?? "";
  if (
    (vector.ended ?? false) !== false || vector.cut === true || !(last === "end" || last.startsWith("fault "))
  ) return;
  const following = FOLLOWING[vector.role];
  const expect = last === "end" ? [...vector.expect, ...following.expect] : vector.expect;
  check(vector, [bytesOf(vector.bytes + following.bytes)], expect, "followed");
  check(vector, [bytesOf(vector.bytes), bytesOf(following.bytes)], expect, "followed in a piece of its own");
}

for (const [topic, vectors] of Object.entries(VECTORS)) {
  test(`vectors: ${topic}`, () => {
    const names = new Set<string>();
    for (const vector of vectors) {
      assert.ok(!names.has(vector.name), `two vectors are called ${vector.name}`);
      names.add(vector.name);
      checkEverySplit(vector);
      checkFollowed(vector);
    }
  });
}
