/** Who gets the proxy auto-configuration file, and by which address it calls us. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PlaneLab } from "../../../support/plane_lab.ts";

const RULES = "rules: [{host: .corp.test, direct: true}]";

async function use(yaml: string, act: (ask: Ask, lab: PlaneLab) => Promise<void>): Promise<void> {
  const lab = await PlaneLab.start(yaml, {}, { "/users": "alice:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=\n" });
  await act(async (host, line = "GET /proxy.pac HTTP/1.1") => {
    const client = lab.dial();
    client.say(`${line}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    await lab.pass(50);
    return client.received;
  }, lab);
  await lab.stop();
}

/** @returns all that came back */
type Ask = (host: string, line?: string) => Promise<string>;

function proxyOf(answer: string): string | undefined {
  return /var via = "([^"]*)";/.exec(answer)?.[1];
}

test("by the address in Host, if it is one of ours, and by no other", () =>
  use(`forward: {listen: "127.0.0.1:3128", ${RULES}}\nadmin: "127.0.0.1:0"\n`, async (ask) => {
    const answer = await ask("127.0.0.1:3128");
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(answer, /\r\nContent-Type: application\/x-ns-proxy-autoconfig\r\n/);
    assert.match(answer, /sluiceBelow\(name, "\.corp\.test"\)/);
    assert.equal(proxyOf(answer), "PROXY 127.0.0.1:3128");
    assert.equal(proxyOf(await ask("localhost:3128")), "PROXY localhost:3128");
    for (
      const host of [
        "evil.test:3128",
        "127.0.0.1",
        "127.0.0.1:80",
        "10.0.0.1:3128",
        "127.1:3128",
        "[::1]:3128",
      ]
    ) {
      assert.match(await ask(host), /^HTTP\/1\.1 421 .*\(sluice: Host is no address of this proxy/, host);
    }
    const head = await ask("127.0.0.1:3128", "HEAD /proxy.pac?x HTTP/1.1");
    assert.match(head, /^HTTP\/1\.1 200 OK\r\n/);
    assert.ok(head.endsWith("\r\n\r\n"));
    for (const line of ["GET /proxy.pacx HTTP/1.1", "PUT /proxy.pac HTTP/1.1"]) {
      assert.match(await ask("127.0.0.1:3128", line), /^HTTP\/1\.1 400 /, line);
    }
  }));

test("by the name that is configured, whatever Host says", () =>
  use(`forward: {listen: "127.0.0.1:3128", pac_host: "Proxy.Example:8080"}\n`, async (ask) => {
    assert.equal(proxyOf(await ask("evil.test")), "PROXY proxy.example:8080");
  }));

test("a listener on all addresses is meant by each of this machine", () =>
  use(`forward: {listen: "0.0.0.0:3128", clients: 127.0.0.0/8}\n`, async (ask) => {
    assert.equal(proxyOf(await ask("127.0.0.9:3128")), "PROXY 127.0.0.9:3128");
  }));

test("a route that takes the path is asked", () =>
  use(
    `listen: "127.0.0.1:8080"\nforward: "127.0.0.1:8080"\nroutes: [{match: {path: /proxy.pac}, respond: {body: mine}}]\n`,
    async (ask) => {
      assert.match(await ask("127.0.0.1:8080"), /\r\n\r\nmine$/);
    },
  ));

test("who may not use the proxy does not get it; who has to log in does", async () => {
  await use(`forward: {listen: "127.0.0.1:3128", clients: 10.0.0.0/8}\n`, async (ask) => {
    assert.match(await ask("127.0.0.1:3128"), /^HTTP\/1\.1 403 /);
  });
  await use(`forward: {listen: "127.0.0.1:3128", users: /users, clients: 10.0.0.0/8}\n`, async (ask) => {
    assert.match(await ask("127.0.0.1:3128"), /^HTTP\/1\.1 200 /);
  });
});

test("a reload makes another file", () =>
  use(`forward: {listen: "127.0.0.1:3128", ${RULES}}\n`, async (ask, lab) => {
    assert.match(await ask("127.0.0.1:3128"), /corp\.test/);
    lab.yaml = `forward: {listen: "127.0.0.1:3128", rules: [{host: other.test, direct: true}]}\n`;
    assert.ok((await lab.done(lab.plane.reload())).ok);
    const answer = await ask("127.0.0.1:3128");
    assert.match(answer, /other\.test/);
    assert.doesNotMatch(answer, /corp\.test/);
  }));
