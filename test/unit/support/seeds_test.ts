import assert from "node:assert/strict";
import { test } from "node:test";
import { groupName, walkSeedGroups, walkSeeds } from "../../support/seeds.ts";

test("seeds of random walks: the usual ones, one, more, others", () => {
  assert.deepEqual(walkSeeds(3, {}), [1, 2, 3]);
  assert.deepEqual(walkSeeds(3, { SLUICE_TEST_SEED: "17" }), [17]);
  assert.deepEqual(walkSeeds(3, { SLUICE_TEST_SEED: "17", SLUICE_TEST_SEEDS: "2" }), [17]);
  assert.deepEqual(walkSeeds(3, { SLUICE_TEST_SEED: "", SLUICE_TEST_SEEDS: "2" }), [1, 2]);
  assert.deepEqual(walkSeeds(3, { SLUICE_TEST_SEEDS: "8-9" }), [8, 9]);
  assert.throws(() => walkSeeds(3, { SLUICE_TEST_SEEDS: "many" }), /not many/);
  for (const none of ["0", "9-8"]) {
    assert.throws(
      () => walkSeeds(3, { SLUICE_TEST_SEEDS: none }),
      new RegExp(`not ${none}`),
      "a walk of no steps proves nothing",
    );
  }
});

test("groups of seeds and their names", () => {
  assert.deepEqual(walkSeedGroups(5, 2, {}), [[1, 2], [3, 4], [5]]);
  assert.deepEqual([[1, 2, 3], [7]].map(groupName), ["1 to 3", "7"]);
});
