/** Files of those who may use the forward proxy: what is wrong with one is told by line, and never with a secret. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SystemError } from "../../../../runtime/contract/contract.ts";
import { loadConfig } from "../../../../src/config/load_config.ts";
import type { ForwardConfig } from "../../../../src/config/values/config.ts";
import { readForwardFiles, usableForwardFiles } from "../../../../src/process/shared/forward_files.ts";
import { checkFiles, filesOf } from "../../../../src/serve/check_files.ts";
import { formatProblem } from "../../../../src/config/values/problem.ts";
import { MemorySystem } from "../../../support/memory_system.ts";
import { PlaneLab } from "../../../support/plane_lab.ts";

/** "secret", as `htpasswd -s` writes it. */
const USERS = "# those of the team\nalice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n";
const TOKENS = "s3cr3t-t0ken ci\n";

function loaded(flags: Readonly<Record<string, string[]>>) {
  const result = loadConfig({ flags: { forward: ["auto"], ...flags }, env: {}, file: null });
  assert.ok(result.ok);
  return result;
}

function forwardOf(flags: Readonly<Record<string, string[]>>): ForwardConfig {
  const { forward } = loaded(flags).config;
  assert.ok(forward !== null);
  return forward;
}

const BOTH = { "forward-users": ["/u"], "forward-tokens": ["/t"] };

test("files that can be used", async () => {
  const system = new MemorySystem({ files: { "/u": USERS, "/t": TOKENS } });
  const { users, tokens } = await usableForwardFiles(system, forwardOf(BOTH));
  assert.deepEqual(users?.users, ["alice"]);
  assert.equal(tokens?.userOf("s3cr3t-t0ken"), "ci");
  const none = await usableForwardFiles(system, forwardOf({}));
  assert.deepEqual(none, { users: null, digestUsers: null, tokens: null, fingerprint: "" });
});

test("the file of the Digest scheme: used, told of when it is bad, and one of those that are watched", async () => {
  const flags = { "forward-digest-file": ["/d"] };
  const system = new MemorySystem({ files: { "/d": "alice:r:0123456789abcdef0123456789abcdef\n" } });
  const { digestUsers, fingerprint } = await usableForwardFiles(system, forwardOf(flags));
  assert.equal(digestUsers?.realm, "r");
  assert.notEqual(fingerprint, "");
  assert.deepEqual(filesOf(loaded(flags).config), ["/d"]);
  system.files.set("/d", "alice:r:nonsense\n");
  await assert.rejects(
    usableForwardFiles(system, forwardOf(flags)),
    (error) =>
      error instanceof SystemError &&
      error.message.startsWith("forward.digest_file: /d:1: the hash of alice"),
  );
  system.files.set("/d", "# nobody\n");
  const { warnings } = await readForwardFiles(system, forwardOf(flags));
  assert.deepEqual(warnings, [{ option: "digest_file", words: "/d names nobody" }]);
});

test("each bad line is told with the file, and without what is secret in it", async () => {
  const system = new MemorySystem({
    files: { "/u": `${USERS}bob:hunter2\nnobody\n`, "/t": `${TOKENS}t0p-s3cr3t\n` },
  });
  const { faults, users, tokens } = await readForwardFiles(system, forwardOf(BOTH));
  assert.deepEqual([users, tokens], [null, null]);
  assert.deepEqual(faults.map(({ option }) => option), ["users", "users", "tokens"]);
  const words = faults.map((fault) => fault.words);
  assert.match(words[0] ?? "", /^\/u:3: the password of bob /);
  assert.match(words[1] ?? "", /^\/u:4: is not user:hash$/);
  assert.match(words[2] ?? "", /^\/t:2: is not a token and a name$/);
  assert.doesNotMatch(words.join("\n"), /hunter2|s3cr3t/);
  await assert.rejects(
    usableForwardFiles(system, forwardOf(BOTH)),
    (error) =>
      error instanceof SystemError && error.message.startsWith("forward.users: /u:3: the password of bob"),
  );
});

test("check and starts tell the option, and what cannot be read", async () => {
  const system = new MemorySystem({ files: { "/t": "# nobody yet\n" } });
  const given = loaded(BOTH);
  const { problems, warnings } = await checkFiles(system, given, 0);
  assert.match(problems.map(formatProblem).join("\n"), /^--forward-users: cannot be read: .*\/u[^\n]*$/);
  assert.deepEqual(warnings.map(formatProblem), ["--forward-tokens: /t names nobody"]);
  assert.deepEqual(filesOf(given.config), ["/u", "/t"]);
});

test("a reload reads the files anew and says so, and a bad one changes nothing", async () => {
  const yaml = 'forward: {listen: "127.0.0.1:0", users: /u}\n';
  const lab = await PlaneLab.start(yaml, {}, { "/u": USERS });
  const reload = async () => {
    const outcome = await lab.done(lab.plane.reload());
    return outcome.ok ? outcome.changes : outcome.problems ?? [];
  };
  assert.deepEqual(await reload(), []);
  lab.system.files.set("/u", USERS.replace("alice", "bob"));
  assert.deepEqual(await reload(), ["forward: other users or tokens"]);
  assert.deepEqual(await reload(), []);
  lab.system.files.set("/u", "bob:plain\n");
  const [problem = "", ...more] = await reload();
  assert.match(problem, /^\/sluice\.yaml:1: forward\.users: \/u:1: the password of bob /);
  assert.deepEqual(more, []);
  lab.system.files.set("/u", USERS.replace("alice", "bob"));
  assert.deepEqual(await reload(), []);
  await lab.stop();
});
