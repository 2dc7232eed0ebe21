/** `reopen`: answered when the log files have been opened anew, or with the reason why they could not be. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SystemError } from "../../../runtime/contract/contract.ts";
import { PlaneLab } from "../../support/plane_lab.ts";

const LOGGED = 'to: 3000\naccess_log: {format: common, to: "/access.log"}\n';

test("reopen: is answered when the old file is complete, and not before", async () => {
  const lab = await PlaneLab.start(LOGGED);
  const sink = lab.system.sinks.find(({ target }) => target === "/access.log");
  assert.ok(sink !== undefined);
  const opened = Promise.withResolvers<void>();
  sink.reopening = opened.promise;
  let answered = false;
  const answer = lab.plane.reopenLogs().finally(() => (answered = true));
  await lab.pass(1000);
  assert.equal(sink.reopened, 1);
  assert.equal(answered, false);
  opened.resolve();
  assert.deepEqual(await lab.done(answer), { ok: true });
  await lab.stop();
});

test("reopen: says why a file cannot be opened", async () => {
  const lab = await PlaneLab.start(LOGGED);
  for (const sink of lab.system.sinks) {
    if (sink.target !== "/access.log") continue;
    sink.reopening = Promise.reject(new SystemError("EACCES", "permission denied: /access.log"));
  }
  assert.deepEqual(await lab.done(lab.plane.reopenLogs()), {
    ok: false,
    code: "failed",
    message: "The log files could not be opened anew: the old ones are written on.",
    problems: ["access_log.to: cannot be opened anew: permission denied: /access.log"],
  });
  await lab.stop();
});

test("reopen: SIGUSR1 says in the log how it ended", async () => {
  const lab = await PlaneLab.start(LOGGED);
  lab.system.signal("SIGUSR1");
  await lab.until("the log to say so", () => lab.system.stderr.includes("log files opened anew"));
  for (const sink of lab.system.sinks) {
    if (sink.target === "/access.log") sink.reopening = Promise.reject(new SystemError("ENOSPC", "full"));
  }
  lab.system.signal("SIGUSR1");
  await lab.until("the log to say why", () => lab.system.stderr.includes("cannot be opened anew: full"));
  assert.equal(lab.system.stderr.split("log files opened anew").length, 2, "once");
  await lab.stop();
});
