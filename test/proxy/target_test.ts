/** Target forms, methods with rules of their own, loops, and fields a proxy must not trust. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReadRequest } from "../support/http_reader.ts";
import { message, withLab } from "./lab.ts";

/** What the endpoint got, in one line. */
function seen(request: ReadRequest): string {
  return `${request.method} ${request.target} ${request.field("Host")}`;
}

test("the authority of an absolute target is the host, and the target goes on in origin form", () =>
  withLab("", async ({ origin, connect }) => {
    origin.auto(seen);
    const client = await connect();
    const ask = async (line: string, host: string): Promise<string> =>
      (await client.ask(message([`${line} HTTP/1.1`, `Host: ${host}`]))).text;
    assert.equal(
      await ask("GET http://example.org/a%2f?b=/../c", "Example.ORG"),
      "GET /a%2f?b=/../c example.org",
    );
    assert.equal(await ask("GET http://example.org", "example.org"), "GET / example.org");
    assert.equal(await ask("GET http://example.org?q", "example.org"), "GET /?q example.org");
    assert.equal(await ask("GET HTTPS://example.org:8443/", "example.org:8443"), "GET / example.org:8443");
    assert.equal(await ask("OPTIONS http://example.org", "example.org"), "OPTIONS * example.org");
    assert.equal(await ask("OPTIONS http://example.org/", "example.org"), "OPTIONS / example.org");
    assert.equal(await ask("OPTIONS *", "example.org"), "OPTIONS * example.org");
  }));

test("a Host that differs from an absolute target is refused, and ends the connection", () =>
  withLab("", async ({ origin, proxy, connect }) => {
    for (const host of ["example.net", "example.org:80", "evil.example.org"]) {
      const client = await connect();
      const request = message(["GET http://example.org/ HTTP/1.1", `Host: ${host}`]);
      await client.send(request + message(["GET /next HTTP/1.1", "Host: a"]));
      const answer = await client.readResponse();
      assert.equal(answer.status, 400);
      assert.equal(answer.field("Connection"), "close");
      assert.equal(await client.readToEnd(), "");
    }
    assert.equal(origin.connections, 0);
    assert.deepEqual(proxy.ended.map(({ reason }) => reason), new Array(3).fill("http_request_error"));
  }));

test("HTTP/1.0 without Host: the endpoint's own name is sent", () =>
  withLab("", async ({ origin, connect }) => {
    origin.auto(seen);
    const client = await connect();
    const answer = await client.ask("GET /x HTTP/1.0\r\n\r\n");
    assert.equal(answer.text, `GET /x 127.0.0.1:${origin.port}`);
    assert.equal(answer.field("Connection"), "close");
    assert.equal(await client.readToEnd(), "");
  }));

test("HTTP/1.0 stays open only when the client asks for it and the length is known", () =>
  withLab("", async ({ origin, connect }) => {
    origin.auto((request, peer) => {
      if (request.target !== "/unknown") return "known";
      void peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
      return null;
    });
    const client = await connect();
    const request = (target: string): string =>
      message([`GET ${target} HTTP/1.0`, "Host: a", "Connection: keep-alive"]);
    const first = await client.ask(request("/"));
    assert.equal(first.field("Connection"), "keep-alive");
    assert.equal(first.framing, "length");
    const second = await client.ask(request("/unknown"));
    assert.equal(second.framing, "close");
    assert.equal(second.field("Connection"), "close");
    assert.equal(second.text, "abc");
  }));

test("CONNECT and TRACE are answered with 405", () =>
  withLab("", async ({ origin, proxy, connect }) => {
    const trace = await (await connect()).ask(message(["TRACE / HTTP/1.1", "Host: a"]));
    assert.equal(trace.status, 405);
    assert.equal(trace.field("Allow"), "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    // What follows a failed CONNECT may be meant for the tunnel: it is never read as a request.
    const client = await connect();
    await client.send(
      message(["CONNECT a:443 HTTP/1.1", "Host: a:443"], "GET /inside HTTP/1.1\r\nHost: a\r\n\r\n"),
    );
    const refused = await client.readResponse();
    assert.equal(refused.status, 405);
    assert.equal(refused.field("Connection"), "close");
    assert.equal(refused.field("Proxy-Status")?.startsWith("sluice; error=method_not_allowed"), true);
    assert.equal(await client.readToEnd(), "");
    assert.equal(origin.connections, 0);
    assert.deepEqual(proxy.ended.map(({ method, status }) => `${method} ${status}`), [
      "TRACE 405",
      "CONNECT 405",
    ]);
  }));

test("Max-Forwards counts down on OPTIONS, and 0 is answered here", () =>
  withLab("", async ({ origin, proxy, connect }) => {
    origin.auto((request) => request.all("Max-Forwards").join());
    const client = await connect();
    const ask = (method: string, hops: string) =>
      client.ask(message([`${method} / HTTP/1.1`, "Host: a", `Max-Forwards: ${hops}`]));
    assert.equal((await ask("OPTIONS", "5")).text, "4");
    assert.equal((await ask("GET", "5")).text, "5", "of no concern to other methods");
    assert.equal((await ask("GET", "0")).text, "0");
    const here = await ask("OPTIONS", "0");
    assert.equal(here.status, 204);
    assert.equal(proxy.ended[3]?.local, true);
    assert.equal((await ask("OPTIONS", "-1")).status, 400);
    assert.equal(await client.readToEnd(), "");
    assert.equal(origin.connections, 1);
  }));

test("a request that keeps coming back is answered with 508", () =>
  withLab("via: me", async ({ origin, proxy, connect }) => {
    origin.auto((request) => request.all("Via").join(" | "));
    const client = await connect();
    const via = (times: number): string => new Array<string>(times).fill("1.1 me").join(", ");
    const passing = await client.ask(message(["GET / HTTP/1.1", "Host: a", `Via: ${via(7)}`]));
    assert.equal(passing.text, `${via(7)} | 1.1 me`);
    const others = await client.ask(message(["GET / HTTP/1.1", "Host: a", "Via: 1.0 fred, 1.1 me.example"]));
    assert.equal(others.text, "1.0 fred, 1.1 me.example | 1.1 me");
    const looped = await client.ask(
      message(["GET / HTTP/1.1", "Host: a", `Via: ${via(4)}`, `via: ${via(3)}`, "Via: 1.0 me (loop)"]),
    );
    assert.equal(looped.status, 508);
    assert.equal(looped.field("Proxy-Status"), "me; error=proxy_loop_detected");
    assert.equal((await proxy.endedAt(2)).reason, "proxy_loop_detected");
  }));

test("a proxy that sends to itself ends the circle with 508", () =>
  withLab("hold: 0s", async ({ proxy, connect, origin }) => {
    // The origin sends everything back to the proxy, as a misconfigured upstream would.
    origin.auto(async (request) => {
      const again = await connect();
      const fields = request.fields.map(([name, value]) => `${name}: ${value}`);
      const answer = await again.ask(message([`GET ${request.target} HTTP/1.1`, ...fields]));
      return { status: answer.status };
    });
    const client = await connect();
    assert.equal((await client.ask(message(["GET / HTTP/1.1", "Host: a"]))).status, 508);
    assert.equal(proxy.ended.length, 9);
    assert.equal(proxy.ended[0]?.reason, "proxy_loop_detected");
  }));

const UNDERSCORED = message([
  "GET / HTTP/1.1",
  "Host: a",
  "X_Forwarded_For: 6.6.6.6",
  "Content_Length: 5",
  "_: 1",
]);

test("field names with an underscore are dropped by default", () =>
  withLab("", async ({ origin, connect }) => {
    origin.auto((request) =>
      request.fields.map(([name]) => name).filter((name) => name.includes("_")).join()
    );
    assert.equal((await (await connect()).ask(UNDERSCORED)).text, "");
  }));

test("underscore_fields: pass sends them on", () =>
  withLab("underscore_fields: pass", async ({ origin, connect }) => {
    origin.auto((request) =>
      request.fields.map(([name]) => name).filter((name) => name.includes("_")).join()
    );
    assert.equal((await (await connect()).ask(UNDERSCORED)).text, "X_Forwarded_For,Content_Length,_");
  }));

test("underscore_fields: reject answers 400 and ends the connection", () =>
  withLab("underscore_fields: reject", async ({ origin, proxy, connect }) => {
    const client = await connect();
    await client.send(UNDERSCORED + UNDERSCORED);
    assert.equal((await client.readResponse()).status, 400);
    assert.equal(await client.readToEnd(), "");
    assert.equal((await proxy.endedAt(0)).reason, "http_request_error");
    assert.equal(origin.connections, 0);
  }));

test("fields named in Connection are dropped, except those that others rely on", () =>
  withLab("", async ({ origin, connect }) => {
    origin.auto((request) => request.fields.map(([name, value]) => `${name}=${value}`).join(" "));
    const client = await connect();
    const names = "x-a, X-B,authorization, cookie, via, x-forwarded-for, forwarded, x-real-ip, keep-alive";
    const answer = await client.ask(message([
      "GET / HTTP/1.1",
      "Host: a",
      `Connection: ${names}`,
      "X-A: 1",
      "x-b: 2",
      "X-C: 3",
      "Authorization: Basic eA==",
      "Cookie: c=1",
      "Via: 1.1 other",
      "Keep-Alive: timeout=1",
      "Proxy-Connection: keep-alive",
      "TE: gzip",
      "Proxy-Authorization: Basic eA==",
    ]));
    assert.equal(
      answer.text,
      "Host=a X-C=3 Authorization=Basic eA== Cookie=c=1 Via=1.1 other Via=1.1 sluice " +
        "X-Forwarded-For=127.0.0.1 X-Forwarded-Proto=http X-Forwarded-Host=a " +
        "Forwarded=for=127.0.0.1;host=a;proto=http",
    );
  }));
