/** What status, metrics, `top` and the page tell of the forward proxy. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { renderMetrics } from "../../../../src/admin/render_metrics.ts";
import { topSample } from "../../../../src/cli/top/rows.ts";
import { statusText } from "../../../../src/cli/verbs/status_text.ts";
import {
  addReports,
  emptyReport,
  type ForwardReport,
  sumsOnly,
  totalsOf,
  unanswered,
} from "../../../../src/process/worker/report.ts";
import { answerOf } from "../../../support/network_lab.ts";
import { PlaneLab } from "../../../support/plane_lab.ts";

const USERS = { "/users": "alice:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=\n" };
const RIGHT = `Proxy-Authorization: Basic ${btoa("alice:wonder")}\r\n`;
const WRONG = `Proxy-Authorization: Basic ${btoa("alice:s3cr3t")}\r\n`;
const YAML = `forward: {listen: "127.0.0.1:0", users: /users, deny: "denied.test", max_tunnels: 7}\n`;

async function ask(lab: PlaneLab, line: string, more: string): Promise<string> {
  const client = lab.dial();
  client.say(`${line} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`);
  await lab.pass(1500);
  return answerOf(client);
}

async function busy(act: (lab: PlaneLab) => Promise<void>): Promise<void> {
  const lab = await PlaneLab.start(YAML, {}, USERS);
  await lab.backend(3001);
  await lab.backend(3002);
  assert.match(await ask(lab, "GET http://127.0.0.1:3001/x", RIGHT), /^200 /);
  assert.match(await ask(lab, "GET http://127.0.0.1:3002/x", RIGHT), /^200 /);
  assert.match(await ask(lab, "GET http://127.0.0.1:3002/x", ""), /^407 /);
  assert.match(await ask(lab, "GET http://127.0.0.1:3002/x", WRONG), /^407 /);
  assert.match(await ask(lab, "GET http://denied.test/", RIGHT), /^403 /);
  assert.match(await ask(lab, "GET http://alice:s3cr3t@denied.test/", RIGHT), /^400 /);
  assert.match(await ask(lab, "CONNECT 127.0.0.1:3001", RIGHT), /^200 /);
  await act(lab);
  await lab.stop();
}

test("what it does and has done is in status, by rule and not by destination", () =>
  busy(async (lab) => {
    const status = await lab.done(lab.plane.status());
    const { forward } = status;
    assert.ok(forward !== undefined);
    assert.deepEqual({ ...forward, totals: null, reasons: null }, {
      listeners: [`forward://127.0.0.1:${lab.ports[0]}`],
      tunnels: 1,
      max_tunnels: 7,
      tunnels_begun: 1,
      destinations: 2,
      idle: 2,
      in_flight: 0,
      waiting: 0,
      denied: { http_request_denied: 1, destination_ip_prohibited: 0, proxy_loop_detected: 0 },
      authentication_failures: 1,
      totals: null,
      reasons: null,
      rules: [],
    });
    assert.equal(forward.totals.requests, 6);
    assert.deepEqual(forward.reasons, {
      proxy_authentication_required: 2,
      http_request_denied: 1,
      http_request_error: 1,
    });
    const text = statusText(status);
    assert.match(
      text,
      /^forward proxy on forward:\/\/127\.0\.0\.1:\d+: 1 of 7 tunnels, 0 in flight, 0 waiting$/m,
    );
    assert.match(text, /^ {2}denied: http_request_denied 1$/m);
    const metrics = renderMetrics(status);
    for (
      const line of [
        "sluice_forward_tunnels 1",
        "sluice_forward_max_tunnels 7",
        "sluice_forward_destinations 2",
        'sluice_forward_denied_total{reason="http_request_denied"} 1',
        "sluice_forward_authentication_failures_total 1",
      ]
    ) assert.ok(metrics.includes(`\n${line}\n`), line);
    assert.doesNotMatch(metrics, /3001|denied\.test/);
    assert.equal(topSample(null, status).forward?.tunnels, 1);
  }));

test("a tunnel that has ended counts once", async () => {
  const lab = await PlaneLab.start(YAML.replace("users: /users, ", ""));
  await lab.backend(3001);
  const client = lab.dial();
  client.say("CONNECT 127.0.0.1:3001 HTTP/1.1\r\nHost: a.test\r\n\r\n");
  await lab.pass(10);
  client.socket.abort();
  await lab.pass(10);
  const { forward, totals } = await lab.done(lab.plane.status());
  assert.equal(forward?.tunnels, 0);
  assert.deepEqual(forward.totals, totals);
  assert.equal(totals.requests, 1);
  await lab.stop();
});

test("sums go on over reloads", () =>
  busy(async (lab) => {
    lab.yaml = YAML.replace("denied.test", "other.test");
    assert.ok((await lab.done(lab.plane.reload())).ok);
    const { forward } = await lab.done(lab.plane.status());
    assert.equal(forward?.totals.requests, 6);
    assert.equal(forward.tunnels, 1);
    assert.equal(forward.tunnels_begun, 1);
    assert.equal(forward.authentication_failures, 1);
    assert.equal(forward.destinations, 0);
  }));

test("neither status nor events nor logs tell credentials", async () => {
  const events: string[] = [];
  await busy(async (lab) => {
    const status = await lab.done(lab.plane.status());
    events.push(JSON.stringify(status.recent_failures), lab.system.stderr, JSON.stringify(lab.events));
  });
  const told = events.join("\n");
  assert.match(told, /http:\/\/\*\*\*@denied\.test/);
  assert.ok(!told.includes("s3cr3t"));
  assert.ok(!told.includes(btoa("alice:s3cr3t")) && !told.includes(btoa("alice:wonder")));
});

test("without a forward listener nothing of it is there", async () => {
  const lab = await PlaneLab.start("to: [3001]\n");
  const status = await lab.done(lab.plane.status());
  assert.ok(!("forward" in status));
  assert.doesNotMatch(renderMetrics(status), /forward/);
  assert.doesNotMatch(statusText(status), /forward/);
  assert.ok(!("forward" in topSample(null, status)));
  await lab.stop();
});

test("reports of workers add up, and of one that is gone only the sums remain", () => {
  const totals = totalsOf(null);
  const rules = [{ name: "a", tunnelsBegun: 1, totals, reasons: { http_request_denied: 3 } }];
  const forward: ForwardReport = {
    tunnels: 1,
    tunnelsBegun: 2,
    destinations: 3,
    idle: 4,
    inFlight: 5,
    waiting: 6,
    upgraded: 2,
    wrongCredentials: 7,
    totals: totalsOf(null),
    reasons: { http_request_denied: 8 },
    rules,
  };
  const report = { ...emptyReport(), forward };
  assert.deepEqual(addReports(report, emptyReport()).forward, forward);
  assert.deepEqual(addReports(emptyReport(), report).forward, forward);
  assert.ok(!("forward" in addReports(emptyReport(), emptyReport())));
  const both = addReports(report, report);
  assert.deepEqual(both.forward, {
    tunnels: 2,
    tunnelsBegun: 4,
    destinations: 6,
    idle: 8,
    inFlight: 10,
    waiting: 12,
    upgraded: 4,
    wrongCredentials: 14,
    totals: totalsOf(null),
    reasons: { http_request_denied: 16 },
    rules: [{ name: "a", tunnelsBegun: 2, totals, reasons: { http_request_denied: 6 } }],
  });
  assert.equal(unanswered(report), 9);
  const { forward: gone } = sumsOnly(report);
  assert.deepEqual(
    [gone?.tunnels, gone?.destinations, gone?.idle, gone?.inFlight, gone?.waiting, gone?.upgraded],
    [0, 0, 0, 0, 0, 0],
  );
  assert.deepEqual([gone?.tunnelsBegun, gone?.wrongCredentials], [2, 7]);
});
