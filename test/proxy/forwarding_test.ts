/** A request and its response, as the endpoint and the client see them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { FieldLine } from "../support/http_reader.ts";
import { TestProxy } from "../support/proxy.ts";
import { askOnce } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { message, undated, withLab } from "./lab.ts";

test("a request goes up in the client's own spelling, with the hop's fields exchanged", () =>
  withLab("", async ({ begin, proxy }) => {
    const { client, peer } = await begin(
      "GET /a%2Fb?q=%20 HTTP/1.1\r\nHost: Example.org\r\nX-Thing:  one \r\naccept: */*\r\n" +
        "Connection: keep-alive, X-Drop\r\nX-Drop: 1\r\nKeep-Alive: timeout=5\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
    );
    const request = await peer.readUntil("\r\n\r\n");
    assert.equal(
      request,
      message([
        "GET /a%2Fb?q=%20 HTTP/1.1",
        "Host: Example.org",
        "X-Thing: one",
        "accept: */*",
        "Via: 1.1 sluice",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: Example.org",
        "Forwarded: for=127.0.0.1;host=Example.org;proto=http",
      ]),
    );
    await peer.send(message(
      [
        "HTTP/1.1 299 All  Right",
        "x-reply:yes",
        "Connection: x-hop, keep-alive",
        "X-Hop: 1",
        "Keep-Alive: timeout=60",
        "content-LENGTH: 5",
      ],
      "hello",
    ));
    const response = await client.readResponse();
    assert.equal(response.text, "hello");
    assert.equal(
      undated(client.transcript),
      message(["HTTP/1.1 299 All  Right", "x-reply: yes", "content-LENGTH: 5", "Date: *"], "hello"),
    );
    assert.equal((await proxy.endedAt(0)).reason, "");
  }));

test("the order of repeated fields, and bytes above 0x7F, survive both ways", () =>
  withLab("", async ({ begin }) => {
    const all = Array.from({ length: 128 }, (_, index) => String.fromCharCode(0x80 + index)).join("");
    const { client, peer } = await begin(
      message(["GET / HTTP/1.1", "X-A: 1", "Host: a", `X-B: ${all}`, "x-a: 2", "X-A:", "X-B: \xa0x\xa0"]),
    );
    const request = await peer.readRequest();
    assert.deepEqual(request.fields.slice(0, 6), [
      ["X-A", "1"],
      ["Host", "a"],
      ["X-B", all],
      ["x-a", "2"],
      ["X-A", ""],
      ["X-B", "\xa0x\xa0"],
    ]);
    await peer.send(
      message([
        `HTTP/1.1 200 ${all}`,
        "Set-Cookie: a=1",
        "SET-COOKIE: b=2",
        `X: ${all}`,
        "set-cookie:",
        "Content-Length: 0",
      ]),
    );
    const response = await client.readResponse();
    assert.equal(response.reason, all);
    assert.deepEqual(response.all("Set-Cookie"), ["a=1", "b=2", ""]);
    assert.equal(response.field("X"), all);
    assert.deepEqual(response.fields.slice(0, 4).map(([name]) => name), [
      "Set-Cookie",
      "SET-COOKIE",
      "X",
      "set-cookie",
    ]);
  }));

test("Proxy is never forwarded to an endpoint: CGI programs would take it for HTTP_PROXY", () =>
  withLab("trusted_proxies: [127.0.0.1]", async ({ begin }) => {
    const { client, peer } = await begin(
      message(
        [
          "POST / HTTP/1.1",
          "Host: a",
          "Proxy: http://evil/",
          "pROXY:x",
          "Proxy-Status: kept",
          "Transfer-Encoding: chunked",
          "Trailer: Proxy",
        ],
        "1\r\nx\r\n0\r\nProxy: http://evil/\r\n\r\n",
      ),
    );
    const request = await peer.readRequest();
    assert.equal(request.text, "x");
    assert.doesNotMatch(peer.transcript, /^proxy:|evil/im);
    assert.equal(request.field("Proxy-Status"), "kept");
    await peer.send(message(["HTTP/1.1 200 OK", "Proxy: x", "Content-Length: 0"]));
    assert.equal(
      (await client.readResponse()).field("Proxy"),
      "x",
      "of a response nothing is known to take it",
    );
  }));

test("path and query are never changed", () =>
  withLab("", async ({ origin, connect }) => {
    origin.auto((request) => request.target);
    const client = await connect();
    const targets = [
      "/",
      "//",
      "//a//b",
      "/a/../b",
      "/%2e%2E/",
      "/%00",
      "/a%2Fb%5cc",
      "/?",
      "/?a=b?c=/../",
      "/;x=1",
      '/a|b^`{}"<>',
      "/%zz",
      "/~%7E",
    ];
    for (const target of targets) {
      assert.equal((await client.ask(message([`GET ${target} HTTP/1.1`, "Host: a"]))).text, target);
    }
  }));

test("a Date is added only where the endpoint sent none", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin(message(["GET / HTTP/1.1", "Host: a"]));
    await peer.readRequest();
    await peer.respond({ fields: [["date", "yesterday"]] });
    assert.deepEqual((await client.readResponse()).all("Date"), ["yesterday"]);
    const before = Math.floor(Date.now() / 1000) * 1000;
    await client.send(message(["GET / HTTP/1.1", "Host: a"]));
    await peer.readRequest();
    await peer.respond({});
    const added = Date.parse((await client.readResponse()).field("Date") ?? "");
    assert.ok(added >= before - 1000 && added <= Date.now(), `${added}`);
  }));

test("fields of the hop in a response stay here; authentication passes", () =>
  withLab("", async ({ begin }) => {
    const { client, peer } = await begin(message(["GET / HTTP/1.1", "Host: a"]));
    await peer.readRequest();
    const fields: FieldLine[] = [
      ["Connection", "close, x-one"],
      ["X-One", "1"],
      ["Proxy-Connection", "keep-alive"],
      ["Proxy-Authenticate", "Basic"],
      ["Upgrade", "h2c"],
      ["TE", "trailers"],
      ["WWW-Authenticate", 'Basic realm="a", Digest x'],
      ["Via", "1.1 other"],
      ["X_Under", "kept"],
    ];
    await peer.respond({ status: 401, fields });
    const response = await client.readResponse();
    assert.deepEqual(
      response.fields.filter(([name]) => !/^(Date|Content-Length)$/.test(name)),
      fields.slice(6),
    );
  }));

const CLAIMS = [
  "X-Forwarded-For: 6.6.6.6",
  "X-Forwarded-Proto: https",
  "Forwarded: for=6.6.6.6",
  "X-Real-IP: 6.6.6.6",
  "X-Forwarded-Host: evil",
  "X-Forwarded-Port: 1",
];

/** What the endpoint hears about where a request came from. */
async function claimed(settings: string, lines: readonly string[], host = "127.0.0.1"): Promise<string[]> {
  const origin = await ScriptedOrigin.listen();
  const proxy = await TestProxy.start(`to: ${origin.address}\n${settings}`, {
    listen: { kind: "tcp", host, port: 0 },
  });
  try {
    origin.auto((request) =>
      request.fields.filter(([name]) => name !== "Host" && name !== "Via").map(([name, value]) =>
        `${name}: ${value}`
      ).join("\n")
    );
    return (await askOnce({ host, port: proxy.port }, message(["GET / HTTP/1.1", "Host: a:81", ...lines])))
      .text.split("\n");
  } finally {
    await proxy.stop();
    await origin.close();
  }
}

const OURS = [
  "X-Forwarded-For: 127.0.0.1",
  "X-Forwarded-Proto: http",
  "X-Forwarded-Host: a:81",
  'Forwarded: for=127.0.0.1;host="a:81";proto=http',
];

test("what a stranger says about where it comes from is dropped", async () => {
  assert.deepEqual(await claimed("", CLAIMS), OURS);
  assert.deepEqual(await claimed("trusted_proxies: [10.0.0.0/8, '::1']", CLAIMS), OURS);
});

test("what a trusted peer says is kept and continued", async () => {
  for (const block of ["127.0.0.0/8", "127.0.0.1", "0.0.0.0/0"]) {
    assert.deepEqual(await claimed(`trusted_proxies: [${block}]`, [...CLAIMS, "x-forwarded-for: 7.7.7.7"]), [
      "X-Forwarded-Proto: https",
      "X-Real-IP: 6.6.6.6",
      "X-Forwarded-Host: evil",
      "X-Forwarded-Port: 1",
      "X-Forwarded-For: 6.6.6.6, 7.7.7.7, 127.0.0.1",
      'Forwarded: for=6.6.6.6, for=127.0.0.1;host="a:81";proto=http',
    ]);
  }
  assert.deepEqual(await claimed("trusted_proxies: [127.0.0.1]", []), OURS);
});

test("IPv6: written as RFC 7239 wants it, and trusted by its own blocks", async () => {
  const ours = [
    "X-Forwarded-For: ::1",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: a:81",
    'Forwarded: for="[::1]";host="a:81";proto=http',
  ];
  assert.deepEqual(await claimed("trusted_proxies: [127.0.0.0/8, '::2/128']", CLAIMS, "::1"), ours);
  const trusted = await claimed("trusted_proxies: ['::/64']", ["X-Forwarded-For: 2001:db8::7"], "::1");
  assert.deepEqual(trusted.slice(0, 1), ["X-Forwarded-For: 2001:db8::7, ::1"]);
});

for (
  const [setting, expected] of [["pass", "Example.org:81"], ["endpoint", "ENDPOINT"], [
    "app.internal:8",
    "app.internal:8",
  ]] as const
) {
  test(`host_header: ${setting}`, () =>
    withLab(`host_header: "${setting}"`, async ({ origin, connect }) => {
      origin.auto((request) => `${request.fields[0]?.join()} ${request.field("X-Forwarded-Host")}`);
      const answer = await (await connect()).ask(message(["GET / HTTP/1.1", "X: 1", "Host: Example.org:81"]));
      const host = expected === "ENDPOINT" ? origin.address : expected;
      assert.equal(answer.text, setting === "pass" ? "X,1 Example.org:81" : `Host,${host} Example.org:81`);
    }));
}

test("Via names the version of the client's request", () =>
  withLab("via: edge-1", async ({ origin, connect }) => {
    origin.auto((request) => request.all("Via").join(" / "));
    const old = await (await connect()).ask("GET / HTTP/1.0\r\nVia: 1.1 a\r\n\r\n");
    assert.equal(old.text, "1.1 a / 1.0 edge-1");
    const client = await connect();
    for (const version of ["1.0", "1.1", "1.0"]) {
      const request = message([`GET / HTTP/${version}`, "Host: a", "Connection: keep-alive"]);
      assert.equal((await client.ask(request)).text, `${version} edge-1`);
    }
  }));
