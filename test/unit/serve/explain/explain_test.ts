import assert from "node:assert/strict";
import { test } from "node:test";
import { explain } from "../../../../src/serve/explain/explain.ts";
import type { Explanation } from "../../../../src/serve/explain/explanation.ts";
import { explanationText } from "../../../../src/cli/verbs/explain_verb.ts";
import { run } from "../../../../src/cli/run.ts";
import { loadConfig } from "../../../../src/config/load_config.ts";
import type { ExplainRequest } from "../../../../src/control/plane.ts";
import { createMemoryRuntime } from "../../../support/memory_runtime.ts";
import { MemorySystem } from "../../../support/memory_system.ts";
import { TestProxy } from "../../../support/proxy.ts";
import { RawClient } from "../../../support/raw_client.ts";
import { ScriptedOrigin } from "../../../support/scripted_origin.ts";
import { sampleStatus } from "../../../support/fake_plane.ts";

function configOf(yaml: string) {
  const loaded = loadConfig({ flags: {}, env: {}, file: { path: "test.yaml", text: yaml } });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  return loaded.config;
}

async function explained(yaml: string, request: Partial<ExplainRequest>): Promise<Explanation> {
  const whole = { method: "GET", url: "/", headers: [], body_bytes: 0, ...request };
  const outcome = await explain(createMemoryRuntime(), new MemorySystem(), configOf(yaml), whole, null);
  assert.ok(outcome.ok, JSON.stringify(outcome));
  return outcome.explanation;
}

const ROUTES = `
upstreams:
  app: {endpoints: [{address: 127.0.0.1:1, weight: 3}, 127.0.0.1:2], max_in_flight: 1, hold: 7s}
  api: {endpoints: [127.0.0.1:3], request_buffer: 100B, host_header: endpoint}
routes:
  - {match: {host: api.example}, to: api, retry: unanswered}
  - {match: {path: /robots.txt}, respond: "no\\n"}
  - {match: {path: /app/}, to: app}
`;

const PROXY = `forward: {listen: 3128, deny: [.evil.test, "10.0.0.0/8"], users: /users}\n`;

async function proxied(
  request: Partial<ExplainRequest>,
  yaml = PROXY,
  names: Readonly<Record<string, readonly string[]>> = {},
): Promise<Explanation> {
  const system = new MemorySystem({ files: { "/users": "alice:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=\n" } });
  const runtime = createMemoryRuntime();
  runtime.dial = () => assert.fail("nothing is dialled");
  for (const [name, addresses] of Object.entries(names)) runtime.network.setName(name, addresses);
  const whole = { method: "GET", url: "/", headers: [], body_bytes: 0, ...request };
  const outcome = await explain(runtime, system, configOf(yaml), whole, null);
  assert.ok(outcome.ok, JSON.stringify(outcome));
  return outcome.explanation;
}

test("through the forward proxy: who has not said who it is gets 407", async () => {
  const { outcome, answer, proxied: to } = await proxied({ method: "CONNECT", url: "a.test:443" });
  assert.deepEqual([outcome, answer?.status, answer?.reason], [
    "answered",
    407,
    "proxy_authentication_required",
  ]);
  assert.deepEqual(to?.asks_for, ["Basic"]);
  assert.equal(to?.addresses, null);
});

test("through the forward proxy: which rule says how it goes", async () => {
  const yaml = 'forward: {listen: 3128, rules: [{name: ads, host: .ads.test, deny: "no ads"}, ' +
    "{name: corp, host: .corp.test, parents: [127.0.0.1:4001]}, {name: net, cidr: 10.0.0.0/8, resolve: true, direct: true}]}\n";
  const names = { "a.test": ["10.0.0.1"], "b.test": ["192.0.2.1"] };
  const way = async (url: string, resolve = false) => {
    const { proxied: to, outcome, forwarded, upstream } = await proxied({ url, resolve }, yaml, names);
    return [
      to?.way?.rule,
      to?.way?.action,
      to?.way?.reason,
      outcome,
      upstream,
      forwarded?.endpoints[0]?.name,
    ];
  };
  assert.deepEqual(await way("http://x.ads.test/"), ["ads", "deny", "no ads", "answered", null, undefined]);
  assert.deepEqual(await way("http://x.corp.test/"), [
    "corp",
    "parents",
    "",
    "forwarded",
    "parents/corp",
    "127.0.0.1:4001",
  ]);
  assert.deepEqual((await way("http://a.test/")).slice(0, 2), [null, "look_up"]);
  assert.deepEqual((await way("http://a.test/", true)).slice(0, 2), ["net", "direct"]);
  const explanation = await proxied({ url: "http://x.corp.test/" }, yaml, names);
  assert.match(explanationText(explanation), /^way +by way of a parent \(rule corp\)$/m);
  assert.match(explanationText(explanation), /^ *GET http:\/\/x\.corp\.test\/ HTTP\/1\.1$|GET http/m);
});

test("through the forward proxy: a tunnel", async () => {
  const explanation = await proxied({ method: "CONNECT", url: "a.test:443", user: "alice" });
  const { outcome, answer, proxied: to } = explanation;
  assert.deepEqual([outcome, answer?.status, to?.rule, to?.allowed], ["tunnelled", 200, null, true]);
  const text = explanationText(explanation);
  assert.match(
    text,
    /^proxy +to a\.test:443\n +as user alice, who has logged in\nrule +allowed: no rule is against it$/m,
  );
  assert.match(text, /^addresses +not looked up$/m);
  assert.match(text, /^tunnel +once a connection/m);
});

test("through the forward proxy: what denies it", async () => {
  for (
    const [method, url, rule, status] of [
      ["CONNECT", "www.evil.test:443", "deny .evil.test", 403],
      ["GET", "http://10.1.2.3/x", "deny 10.0.0.0/8", 403],
      ["CONNECT", "169.254.169.254:80", "class metadata", 403],
      ["CONNECT", "a.test:25", "port", 403],
      ["CONNECT", "127.0.0.1:3128", "own listener", 508],
    ] as const
  ) {
    const { outcome, answer, proxied: to } = await proxied({ method, url, user: "alice" });
    assert.deepEqual(
      [outcome, answer?.status, to?.rule, to?.allowed],
      ["answered", status, rule, false],
      url,
    );
  }
});

test("through the forward proxy: addresses are looked up if asked for, and judged one by one", async () => {
  const names = { "a.test": ["10.0.0.1", "192.168.0.1"], "b.test": ["10.0.0.1"] };
  const some = await proxied(
    { method: "CONNECT", url: "a.test:443", user: "alice", resolve: true },
    PROXY,
    names,
  );
  assert.equal(some.outcome, "tunnelled");
  assert.deepEqual(some.proxied?.addresses, [
    { address: "10.0.0.1", class: "private", allowed: false, rule: "deny 10.0.0.0/8" },
    { address: "192.168.0.1", class: "private", allowed: true, rule: null },
  ]);
  for (const method of ["CONNECT", "GET"]) {
    const url = method === "GET" ? "http://b.test/" : "b.test:443";
    const none = await proxied({ method, url, user: "alice", resolve: true }, PROXY, names);
    assert.deepEqual([none.outcome, none.answer?.reason], ["answered", "destination_ip_prohibited"]);
  }
  const lost = await proxied(
    { method: "CONNECT", url: "c.test:443", user: "alice", resolve: true },
    PROXY,
    names,
  );
  assert.notEqual(lost.proxied?.lookup_error, "");
  assert.equal(lost.proxied?.addresses, null);
});

test("through the forward proxy: what is sent", async () => {
  const explanation = await proxied({ url: "http://a.test:81/x?y", user: "alice", headers: ["X-Keep: 1"] });
  assert.equal(explanation.outcome, "forwarded");
  assert.equal(explanation.forwarded?.request_line, "GET /x?y HTTP/1.1");
  assert.deepEqual(explanation.forwarded?.fields.slice(0, 2), ["Host: a.test:81", "X-Keep: 1"]);
  assert.deepEqual(explanation.forwarded?.endpoints.map(({ name }) => name), ["a.test:81"]);
  assert.match(explanationText(explanation), /^sent +GET \/x\?y HTTP\/1\.1$/m);
});

test("through the forward proxy: targets that it refuses, and what is for the routes", async () => {
  const https = await proxied({ url: "https://a.test/", user: "alice" });
  assert.deepEqual([https.answer?.status, https.proxied], [501, undefined]);
  const path = await proxied({ url: "/robots.txt" }, `listen: 8080\n${PROXY}${ROUTES}`);
  assert.deepEqual([path.route, path.proxied], ["/robots.txt", undefined]);
  for (
    const [yaml, request] of [
      [PROXY, { url: "/x", user: "alice" }],
      [ROUTES, { url: "http://a.test/", resolve: true }],
      [PROXY, { url: "http://a.test/", headers: ["Proxy-Authorization: Basic x"] }],
    ] as const
  ) {
    const whole = { method: "GET", headers: [], body_bytes: 0, ...request };
    const system = new MemorySystem({ files: { "/users": "alice:{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=\n" } });
    const outcome = await explain(createMemoryRuntime(), system, configOf(yaml), whole, null);
    assert.deepEqual([outcome.ok, outcome.ok ? "" : outcome.code], [false, "invalid"]);
  }
});

test("where a request goes, and as what", async () => {
  const { outcome, route, upstream, forwarded } = await explained(ROUTES, {
    method: "POST",
    url: "http://api.example/x?y",
    headers: ["X-Forwarded-For: 6.6.6.6", "Connection: X-Drop", "X-Drop: 1", "X-Keep: 2"],
    body_bytes: 101,
  });
  assert.deepEqual([outcome, route, upstream], ["forwarded", "api.example/", "api"]);
  assert.equal(forwarded?.request_line, "POST /x?y HTTP/1.1");
  assert.deepEqual(forwarded?.fields, [
    "Host: 127.0.0.1:3",
    "X-Keep: 2",
    "Via: 1.1 sluice",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: api.example",
    "Forwarded: for=127.0.0.1;host=api.example;proto=http",
    "Content-Length: 101",
  ]);
  assert.deepEqual([forwarded?.body.handling, forwarded?.body.replayable], ["streamed", false]);
});

test("a body of unknown length is read first where slots are few", async () => {
  const handling = async (url: string) =>
    (await explained(ROUTES, { url, method: "PUT", body_bytes: null })).forwarded?.body.handling;
  assert.equal(await handling("/app/"), "buffered_first");
  assert.equal(await handling("http://api.example/"), "streamed");
});

test("what may be sent again follows the method, the body and the route", async () => {
  const again = async (request: Partial<ExplainRequest>) =>
    (await explained(ROUTES, request)).forwarded?.retry.cases
      .filter(({ failure }) => failure === "reset").map(({ because }) => because || "again");
  assert.deepEqual(await again({ url: "/app/" }), ["again", "again"]);
  assert.deepEqual(await again({ url: "/app/", method: "POST" }), ["not_idempotent", "not_idempotent"]);
  const key = ["Idempotency-Key: 1"];
  assert.deepEqual(await again({ url: "/app/", method: "POST", headers: key }), ["again", "again"]);
  assert.deepEqual(await again({ url: "http://api.example/", method: "POST", body_bytes: 5 }), [
    "again",
    "again",
  ]);
  const long = { url: "http://api.example/", method: "POST", body_bytes: 500 };
  assert.deepEqual(await again(long), ["body_not_replayable", "body_not_replayable"]);
  assert.deepEqual(await again({ url: "/app/", method: "PUT", body_bytes: null }), [
    "body_not_replayable",
    "body_not_replayable",
  ]);
});

test("a request that authenticates its connection has it for itself", async () => {
  const pinned = async (...headers: string[]) =>
    (await explained(ROUTES, { url: "/app/", headers })).forwarded?.pinned;
  assert.equal(await pinned(), false);
  assert.equal(await pinned("Authorization: Basic eDp5"), false);
  assert.equal(await pinned("Authorization: negotiate YII="), true);
  const { forwarded } = await explained(ROUTES, { url: "/app/", headers: ["Authorization: NTLM x"] });
  assert.deepEqual(new Set(forwarded?.retry.cases.map(({ because }) => because)), new Set(["pinned"]));
});

test("endpoints have the state of the Sluice that runs", async () => {
  const config = configOf("upstreams: {app: {endpoints: [127.0.0.1:3000, 127.0.0.1:3001]}}");
  const request = { method: "GET", url: "/", headers: [], body_bytes: 0 };
  const outcome = await explain(createMemoryRuntime(), new MemorySystem(), config, request, sampleStatus());
  assert.ok(outcome.ok);
  const { forwarded } = outcome.explanation;
  assert.deepEqual(forwarded?.endpoints.map(({ name, state }) => [name, state]), [
    ["127.0.0.1:3000", "up"],
    ["127.0.0.1:3001", "down"],
  ]);
  assert.equal(forwarded?.endpoints.filter(({ first }) => first).length, 1);
  assert.equal(forwarded?.hold.paused, true);
});

/** Requests that a Sluice answers by itself, and some that it forwards. */
const REQUESTS: readonly Partial<ExplainRequest>[] = [
  { url: "/app/x" },
  { url: "/nowhere" },
  { url: "/robots.txt" },
  { url: "/robots.txt", method: "HEAD" },
  { url: "/app/..;/x" },
  { url: "/app/", method: "TRACE" },
  { url: "/app/", method: "CONNECT" },
  { url: "*", method: "OPTIONS" },
  { url: "/app/", headers: ["Host: a", "Host: b"] },
  { url: "/app/", headers: ["Content-Length: 5", "Transfer-Encoding: chunked"] },
  { url: "/app/", headers: ["Transfer-Encoding: gzip"] },
  { url: "/app/", headers: ["Expect: miracles"] },
  { url: "/app/", headers: ["Bad Name : x"] },
  { url: "/app/", headers: ["Host: exa mple"] },
  { url: "/app/", method: "GE T" },
  { url: "/app/", headers: ["Via: " + "1.1 sluice, ".repeat(9) + "1.1 x"] },
  { url: `/app/${"x".repeat(9000)}` },
];

test("what is explained is what happens", async () => {
  const origin = await ScriptedOrigin.listen();
  origin.auto(() => ({ status: 299 }));
  const yaml = ROUTES.replaceAll(/127\.0\.0\.1:[12]\b/g, origin.address).replace(`, ${origin.address}]`, "]");
  const proxy = await TestProxy.start(yaml);
  try {
    for (const request of REQUESTS) {
      const { method = "GET", url = "/", headers = [] } = request;
      const outcome = await explain(
        createMemoryRuntime(),
        new MemorySystem(),
        configOf(yaml),
        { method, url, headers, body_bytes: 0 },
        null,
      );
      if (!outcome.ok) {
        // Not even a field line: such a question is refused.
        assert.match(outcome.message, /must be "Name: value"/);
        continue;
      }
      const { explanation } = outcome;
      const client = await RawClient.connect(proxy.port);
      const lines = [`${method} ${url} HTTP/1.1`, ...explanation.fields];
      const response = await client.ask(`${lines.join("\r\n")}\r\n\r\n`);
      client.destroy();
      const status = explanation.outcome === "forwarded" ? 299 : explanation.answer?.status;
      assert.equal(status, response.status, JSON.stringify(request).slice(0, 80));
      const reason = /error=(\w+)/.exec(response.field("proxy-status") ?? "")?.[1] ?? "";
      assert.equal(explanation.answer?.reason ?? "", reason, JSON.stringify(request).slice(0, 80));
    }
  } finally {
    await proxy.stop();
    await origin.close();
  }
});

test("questions that no request can be made of", async () => {
  for (
    const request of [
      { url: "/a b\r\nX: y" },
      { url: "/\u{1f600}" },
      { method: "G\nET" },
      { headers: ["A: b\r\nC: d"] },
      { headers: ["no colon"] },
      { headers: [": x"] },
    ]
  ) {
    const whole = { method: "GET", url: "/", headers: [], body_bytes: 0, ...request };
    const outcome = await explain(createMemoryRuntime(), new MemorySystem(), configOf("to: 1"), whole, null);
    assert.ok(!outcome.ok && outcome.code === "invalid", JSON.stringify(request));
  }
});

test("sluice explain with a configuration asks nobody", async () => {
  const system = new MemorySystem({
    args: ["explain", "--to", "3000", "--url", "http://example.com/x", "-H", "A: b", "--method", "PUT"],
  });
  const code = await run(createMemoryRuntime(), system, () => Promise.reject(new Error("served")));
  assert.deepEqual([code, system.stderr], [0, ""]);
  assert.match(system.stdout, /^request {5}PUT \/x\n {12}Host: example\.com\n {12}A: b\n/);
  assert.match(system.stdout, /\nendpoints {3}127\.0\.0\.1:3000\n/);
  assert.match(system.stdout, /\nsent again {2}after reset of a reused connection, .*: yes\n/);
  const json = new MemorySystem({ args: ["explain", "--to", "3000", "--url", "/", "--json"] });
  await run(createMemoryRuntime(), json, () => Promise.reject(new Error("served")));
  assert.equal(explanationText(JSON.parse(json.stdout)).split("\n")[0], "request     GET /");
  const bad = new MemorySystem({ args: ["explain", "--to", "3000:x", "--url", "/"] });
  assert.equal(await run(createMemoryRuntime(), bad, () => Promise.reject(new Error("served"))), 2);
});

test("through parents: the request is shown as it goes on, behind what proxies on the way are asked", async () => {
  const whole = "GET http://a.test:81/x HTTP/1.1";
  const own = "GET /x HTTP/1.1";
  const cases: readonly (readonly [string, string])[] = [
    [`http://p.test:3128`, whole],
    [`https://p.test:3128`, whole],
    [`socks5h://p.test:1080`, own],
    [`socks5://p.test:1080`, own],
    [`socks5h://me:s3cret@p.test:1080`, own],
    [`{url: "http://p.test:3128", via: "http://me:s3cret@first.test:3128"}`, whole],
    [`{url: "http://p.test:3128", via: "socks5h://first.test:1080"}`, whole],
    [`{url: "https://p.test:3128", via: "http://first.test:3128"}`, whole],
    [`{url: "https://p.test:3128", via: "socks5://first.test:1080"}`, whole],
    [`{url: "socks5h://p.test:1080", via: "http://first.test:3128"}`, own],
    [`{url: "socks5h://p.test:1080", via: "socks5h://me:s3cret@first.test:1080"}`, own],
  ];
  for (const [parent, line] of cases) {
    const text = parent.startsWith("{") ? parent : JSON.stringify(parent);
    const yaml = `forward: {listen: 3128, parents: [${text}]}\n`;
    const explanation = await proxied({ url: "http://a.test:81/x", headers: ["X-Keep: 1"] }, yaml);
    assert.equal(explanation.outcome, "forwarded", parent);
    assert.equal(explanation.forwarded?.request_line, line, parent);
    assert.deepEqual(explanation.forwarded?.fields.slice(0, 2), ["Host: a.test:81", "X-Keep: 1"], parent);
    assert.ok(explanationText(explanation).includes(line), parent);
    assert.doesNotMatch(JSON.stringify(explanation), /s3cret|bWU6czNjcmV0/, parent);
  }
  // There is none where the bytes of a tunnel are all that the destination gets.
  const socks = "forward: {listen: 3128, parents: [socks5h://p.test:1080]}\n";
  const tunnel = await proxied({ method: "CONNECT", url: "a.test:443" }, socks);
  assert.equal(tunnel.forwarded?.request_line, "");
  assert.match(explanationText(tunnel), /^sent +what comes through the tunnel$/m);
});
