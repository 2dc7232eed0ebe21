/** Which route a request takes, fixed answers, and paths that two readers could read differently. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { message, undated, withLab } from "./lab.ts";

function get(target: string, host: string): string {
  return message([`GET ${target} HTTP/1.1`, `Host: ${host}`]);
}

test("respond: complete answers without an upstream", () =>
  withLab(
    'routes:\n- {match: {path: /text}, respond: "grüße\\n"}\n' +
      "- {match: {path: /html}, respond: {status: 203, body: <p>, headers: {content-type: text/html, X-A: [a, b]}}}\n" +
      "- {match: {path: /gone}, respond: {status: 410}}\n- {match: {path: /none}, respond: {status: 204}}\n" +
      "- {match: {path: /moved}, respond: {status: 308, headers: {Location: /text}}}\n- {to: ORIGIN}",
    async ({ connect, origin, proxy }) => {
      const client = await connect();
      for (const path of ["/text", "/html", "/gone", "/none", "/moved"]) {
        await client.ask(get(path, "a"));
      }
      const head = await client.ask(message(["HEAD /text HTTP/1.1", "Host: a"]));
      assert.equal(head.field("Content-Length"), "8");
      const heads = undated(client.transcript).replaceAll("Date: *\r\n", "");
      assert.equal(
        heads,
        message(
          ["HTTP/1.1 200 OK", "Content-Type: text/plain; charset=utf-8", "Content-Length: 8"],
          "gr\xc3\xbc\xc3\x9fe\n",
        ) +
          message(
            ["HTTP/1.1 203 ", "content-type: text/html", "X-A: a", "X-A: b", "Content-Length: 3"],
            "<p>",
          ) +
          message(["HTTP/1.1 410 Gone", "Content-Length: 0"]) +
          message(["HTTP/1.1 204 No Content"]) +
          message(["HTTP/1.1 308 Permanent Redirect", "Location: /text", "Content-Length: 0"]) +
          message(["HTTP/1.1 200 OK", "Content-Type: text/plain; charset=utf-8", "Content-Length: 8"]),
      );
      assert.equal(origin.connections, 0);
      assert.deepEqual(proxy.ended.map(({ status, local }) => local ? status : 0), [
        200,
        203,
        410,
        204,
        308,
        200,
      ]);
    },
  ));

test("a fixed answer to a request with a body: the connection goes on only when the body was here", () =>
  withLab(
    "routes: [{match: {path: /}, respond: hi}, {match: {path: /x}, to: ORIGIN}]",
    async ({ connect, proxy }) => {
      const client = await connect();
      const empty = await client.ask(message(["POST / HTTP/1.1", "Host: a", "Content-Length: 0"]));
      assert.deepEqual(empty.all("Connection"), [], "an empty body is here with its head");
      assert.equal((await client.ask(get("/", "a"))).text, "hi");
      const body = message(["POST / HTTP/1.1", "Host: a", "Content-Length: 40"], get("/", "a"));
      await client.send(body);
      const answer = await client.readResponse();
      assert.equal(answer.field("Connection"), "close");
      assert.equal(await client.readToEnd(), "");
      assert.equal(proxy.ended.length, 3, "a body is never read as a request");
    },
  ));

const HOSTS = `
upstreams: {app: {endpoints: [ORIGIN]}}
routes:
- {match: {host: a.example}, respond: exact}
- {match: {host: a.example, path: /x}, respond: exact x}
- {match: {host: "*.example"}, respond: wild}
- {match: {host: "*.b.example"}, respond: longer wild}
- {match: {host: ["[::1]", "[2001:DB8::0:1]"]}, respond: v6}
- {match: {path: /only}, respond: any host}`;

test("hosts: exact before the longest wildcard before any", () =>
  withLab(HOSTS, async ({ connect }) => {
    const client = await connect();
    const cases = [
      ["a.example", "/", "exact"],
      ["A.Example:8080", "/", "exact"],
      ["a.example.", "/", "exact"],
      ["a.example", "/x", "exact x"],
      ["a.example", "/x/", "exact x"],
      ["a.example", "/xy", "exact"],
      ["c.example", "/x", "wild"],
      ["d.c.example", "/", "wild"],
      ["c.b.example", "/", "longer wild"],
      ["b.example", "/", "wild"],
      ["[::1]", "/", "v6"],
      ["[0:0::1]:8080", "/", "v6"],
      ["[2001:db8::1]", "/", "v6"],
      ["[2001:0DB8:0::0001]:80", "/", "v6"],
      ["other", "/only", "any host"],
      ["other", "/only/this?q", "any host"],
    ] as const;
    for (const [host, target, text] of cases) {
      assert.equal((await client.ask(get(target, host))).text, text, `${host}${target}`);
    }
    // A wildcard does not match the name itself, nor a name that only ends alike.
    for (const host of ["example", "xexample", "other", "a.example.evil"]) {
      const missing = await client.ask(get("/", host));
      assert.equal(missing.status, 404, host);
      assert.equal(missing.field("Proxy-Status"), "sluice; error=no_route");
      assert.deepEqual(missing.all("Connection"), []);
    }
    assert.equal((await client.ask("GET /only HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")).text, "any host");
  }));

test("ten routes of each kind, the most specific one wins whatever their order", () => {
  const lines = ["routes:"];
  const cases: [host: string, target: string, text: string][] = [];
  for (let index = 0; index < 10; index++) {
    lines.push(
      `- {match: {path: /p${index}}, respond: path ${index}}`,
      `- {match: {path: /p${index}/deep/er}, respond: deep ${index}}`,
      `- {match: {host: "*.h${index}.example"}, respond: wild ${index}}`,
      `- {match: {host: "*.h${index}.example", path: /p${index}/deep}, respond: wild deep ${index}}`,
      `- {match: {host: h${index}.example}, respond: exact ${index}}`,
      `- {match: {host: h${index}.example, path: /p${index}}, respond: exact path ${index}}`,
    );
    cases.push(
      ["x", `/p${index}/any`, `path ${index}`],
      ["x", `/p${index}/deep/er/?x`, `deep ${index}`],
      ["x", `/p${index}/deep/e`, `path ${index}`],
      [`x.h${index}.example`, "/p1", `wild ${index}`],
      [`x.y.h${index}.example`, `/p${index}/deep/er`, `wild deep ${index}`],
      [`h${index}.example`, "/other", `exact ${index}`],
      [`h${index}.example`, `/p${index}/deep/er`, `exact path ${index}`],
    );
  }
  lines.push("- {respond: rest}", "- {match: {host: unused.example}, to: ORIGIN}");
  cases.push(["x", "/p10", "rest"], ["x", "/", "rest"], ["h10.example", "/", "rest"]);
  return withLab(lines.join("\n"), async ({ connect }) => {
    const client = await connect();
    void client.send(cases.map(([host, target]) => get(target, host)).join(""));
    for (const [host, target, text] of cases) {
      assert.equal((await client.readResponse()).text, text, `${host}${target}`);
    }
  });
});

const GUARDED = "routes: [{match: {path: /admin/}, respond: {status: 403, body: keep out}}, {to: ORIGIN}]";

test("a path that two readers could read differently is refused where paths decide", () =>
  withLab(GUARDED, async ({ connect, origin, proxy }) => {
    const paths = [
      "/./admin",
      "//admin",
      "/x/../admin",
      "/x/%2e%2E/admin",
      "/x/..;/admin",
      "/x/..%3bjsessionid=1/admin",
      "/.%2e/admin",
      "/%2fadmin",
      "/%c0%afadmin",
      "/public/%c0%ae%c0%ae/admin",
      "/x%5C..%5Cadmin",
      "/admin%00.txt",
      "/%0d%0aadmin",
      "/admin%7f",
      "/admin/../x",
      "/admin/%2e%2e",
      "/admin;x",
      "/./admin//../x",
      "/x//../../admin//../x",
      "/%2561dmin",
      "//host/admin",
      "/admin%3Fx",
      "/%61dmin;v=1/x",
      "/;/admin",
      "/%",
      "/%zzadmin",
    ];
    for (const path of paths) {
      const client = await connect();
      await client.send(get(path, "a") + get("/", "a"));
      const refused = await client.readResponse();
      assert.equal(refused.status, 400, path);
      assert.match(
        refused.field("Proxy-Status") ?? "",
        /error=http_request_error; details="the path can be read/,
      );
      assert.equal(await client.readToEnd(), "", path);
    }
    assert.equal(proxy.ended.length, paths.length);
    assert.equal(origin.connections, 0);
  }));

test("escapes of ordinary characters are seen through, and forwarded as they came", () =>
  withLab(GUARDED, async ({ connect, origin }) => {
    origin.auto((request) => request.target);
    const client = await connect();
    for (const path of ["/admin", "/%61dmin/", "/admin/x?/../y", "/%61%64%6D%69%6e"]) {
      assert.equal((await client.ask(get(path, "a"))).text, "keep out", path);
    }
    for (
      const path of [
        "/administrator",
        "/x/admin",
        "/%41dmin",
        "/x?/admin/",
        "/x%20y/...",
        "/..x/.y",
        "/x;v=1/admin;y",
        "/x/../y",
        "/wiki/Foo_%28bar%29",
        "/@scope%2fname",
        "/%2525/x",
        "//x//",
        "/..",
      ]
    ) {
      assert.equal((await client.ask(get(path, "a"))).text, path, path);
    }
  }));

test("lenient_target: raw UTF-8 is escaped, and routed as what it then is", () =>
  withLab(
    "lenient_target: true\nroutes: [{match: {path: /café}, respond: café}, {match: {path: /b}, respond: b}, {to: ORIGIN}]",
    async ({ connect, origin, proxy }) => {
      origin.auto((request) => request.target);
      const client = await connect();
      for (let times = 0; times < 3; times++) {
        assert.equal((await client.ask(get("/caf\xc3\xa9/x", "a"))).text, "caf\xc3\xa9");
        assert.equal((await client.ask(get("/x\xc3\xa9?q=\xe2\x82\xac", "a"))).text, "/x%C3%A9?q=%E2%82%AC");
        assert.equal((await client.ask(get("/%c3\xa9/%7e", "a"))).text, "/%c3%A9/%7e");
      }
      assert.equal(proxy.ended[1]?.target, "/x%C3%A9?q=%E2%82%AC");
      // Overlong UTF-8 is no way around a route either.
      assert.equal((await client.ask(get("/x/\xc0\xae\xc0\xae/b", "a"))).status, 400);
    },
  ));

test("raw UTF-8 in a target is refused without lenient_target", () =>
  withLab("", async ({ connect }) => {
    assert.equal((await (await connect()).ask(get("/caf\xc3\xa9", "a"))).status, 400);
  }));

const ESCAPED = `
upstreams: {app: {endpoints: [ORIGIN]}}
routes:
- {match: {path: /café}, respond: café}
- {match: {path: /a%20b/%61}, respond: a b a}
- {match: {path: "/100%25/"}, respond: percent}
- {match: {path: /@x%3ay}, respond: colon}
- {to: app}`;

test("paths with escapes and other alphabets: spelled differently, they mean the same", () =>
  withLab(ESCAPED, async ({ connect, origin }) => {
    origin.auto((request) => request.target);
    const client = await connect();
    const cases = [
      ["/caf%C3%A9", "café"],
      ["/%63af%c3%a9/x?y", "café"],
      ["/a%20b/a/x", "a b a"],
      ["/%61%20b/%61", "a b a"],
      ["/100%25", "percent"],
      ["/@x%3Ay/", "colon"],
      // What could be read differently elsewhere in the path leads to the same route.
      ["/caf%c3%a9/x%2Fy", "café"],
      ["/%63af%c3%a9/x//y/../z", "café"],
      ["/a%20b/a/y;v=1/x%3b", "a b a"],
      ["/%61%20b/a/%5cx", "a b a"],
      ["/100%25//x", "percent"],
      ["/@x%3ay/p%2Fq", "colon"],
      // And elsewhere altogether.
      ["/caf%C3%A8/x%2Fy", "/caf%C3%A8/x%2Fy"],
      ["/101%2525/x%2Fy", "/101%2525/x%2Fy"],
    ] as const;
    for (const [target, text] of cases) {
      assert.equal((await client.ask(get(target, "a"))).text, text === "café" ? "caf\xc3\xa9" : text, target);
    }
    for (
      const target of [
        "/x/..%2Fcaf%C3%A9",
        "//caf%C3%A9",
        "/a%20b%2Fa",
        "/caf%C3%A9/%2e%2e",
        "/100%2525/x",
        "/@x:y",
      ]
    ) {
      const refused = await (await connect()).ask(get(target, "a"));
      assert.equal(refused.status, 400, target);
    }
  }));
