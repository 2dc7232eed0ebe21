/** docs/architecture.md against the tree that it describes. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { layers } from "../../../scripts/check_layers.ts";

const root = new URL("../../../", import.meta.url);
const text = readFileSync(new URL("docs/architecture.md", root), "utf8");

test("architecture: every file that it names is there", () => {
  const named = [...text.matchAll(/`([\w./]+\/[\w.]+\.ts)`/g)].map(([, path = ""]) => path);
  assert.ok(named.length > 50);
  const gone = named.filter((path) =>
    !["", "src/", "runtime/"].some((folder) => existsSync(new URL(folder + path, root)))
  );
  assert.deepEqual(gone, []);
});

test("architecture: its table has the layers, in their order", () => {
  const rows = text.split("\n").filter((line) => line.startsWith("| `src/"))
    .map((line) => line.split("|")[1] ?? "");
  // Rows with more than one room: `src/bytes`, `src/time`; `src/process` (`shared/`, `worker/`).
  const rooms = rows.flatMap((row) => [...row.matchAll(/`(src\/\w+)`/g)].map(([, room = ""]) => room));
  const expected = layers.filter((layer) => layer.startsWith("src/")).map((layer) =>
    layer.split("/").slice(0, 2).join("/")
  );
  assert.deepEqual(rooms, [...new Set(expected)]);
});
