import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ROUNDS, wordsOf, writeFaulty } from "../../../scripts/support/faulty_program.ts";

test("a program with faults is a script that strace(1) starts it from, and that passes on its arguments", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    const path = join(folder, "faulty");
    const round = {
      sendto: { error: "EAGAIN", first: 5, every: 37 },
      accept4: { error: "EMFILE", first: 3, every: 17 },
    };
    assert.equal(wordsOf(round), "sendto EAGAIN 5+37, accept4 EMFILE 3+17");
    writeFaulty(path, "/opt/the sluice", round);
    assert.deepEqual(readFileSync(path, "utf8").split("\n"), [
      "#!/bin/sh",
      "exec strace -D -f --seccomp-bpf -qq -o /dev/null -e 'trace=?sendto,?accept4' " +
      "-e 'inject=?sendto:error=EAGAIN:when=5+37' -e 'inject=?accept4:error=EMFILE:when=3+17' '/opt/the sluice' \"$@\"",
      "",
    ]);
    if (process.platform !== "win32") assert.equal(statSync(path).mode & 0o111, 0o111);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("no round of faults claims bytes to be sent that were not", () => {
  for (const round of ROUNDS) {
    for (const { error, first, every } of Object.values(round)) {
      assert.match(error, /^E[A-Z]+$/);
      assert.ok(first > 0 && every > 1, "a call that fails each time is not one that nobody notices");
    }
  }
});
