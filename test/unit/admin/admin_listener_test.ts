import assert from "node:assert/strict";
import { test } from "node:test";
import { AdminListener } from "../../../src/admin/admin_listener.ts";
import { sameText } from "../../../src/admin/admin_action.ts";
import type { Status } from "../../../src/process/worker/status.ts";
import { adapterFactory } from "../../support/adapter.ts";
import { FakePlane } from "../../support/fake_plane.ts";
import { askOnce } from "../../support/raw_client.ts";
import { sampleStatus } from "../../support/sample_status.ts";

const TOKEN = "a token of its own";

class Plane extends FakePlane {
  state: Status["state"] = "serving";

  override status(): Promise<Status> {
    return Promise.resolve(sampleStatus({ state: this.state }));
  }
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly header: (name: string) => string;
}

interface Lab {
  readonly plane: Plane;
  readonly port: number;
  get(path: string, fields?: string): Promise<Answer>;
  post(body: string, fields?: string): Promise<Answer>;
}

async function withAdmin(token: string | null, use: (lab: Lab) => Promise<void>): Promise<void> {
  const errors: unknown[] = [];
  const runtime = (await adapterFactory())({ onHandlerError: (error) => errors.push(error) });
  const plane = new Plane();
  const admin = await AdminListener.start(runtime, {
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    token,
    plane,
    onError: (error) => errors.push(error),
  });
  const port = admin.address.kind === "tcp" ? admin.address.port : 0;
  const host = (fields: string) => /^host:/im.test(fields) ? "" : `Host: 127.0.0.1:${port}\r\n`;
  const send = async (request: string): Promise<Answer> => {
    const answer = await askOnce(port, request);
    return {
      status: answer.status,
      body: Buffer.from(answer.body).toString(),
      header: (name) => answer.fields.find(([field]) => field.toLowerCase() === name)?.[1] ?? "",
    };
  };
  try {
    await use({
      plane,
      port,
      get: (path, fields = "") => send(`GET ${path} HTTP/1.1\r\n${host(fields)}${fields}\r\n`),
      post: (body, fields = "") =>
        send(
          `POST /actions HTTP/1.1\r\n${host(fields)}${fields}Content-Length: ${body.length}\r\n\r\n${body}`,
        ),
    });
  } finally {
    await admin.close(0);
  }
  assert.deepEqual(errors, []);
}

test("admin: each path has its answer and its type", () =>
  withAdmin(null, async ({ get }) => {
    const types: [string, RegExp, RegExp][] = [
      ["/", /^text\/html; charset=utf-8$/, /^<!DOCTYPE html>/],
      ["/metrics", /^text\/plain; version=0\.0\.4; charset=utf-8$/, /^# HELP sluice_build_info /],
      ["/status.json", /^application\/json$/, /^\{"version":"1\.2\.3"/],
      ["/-/healthy", /^text\/plain/, /^healthy\n$/],
      ["/-/ready", /^text\/plain/, /^ready\n$/],
    ];
    for (const [path, type, body] of types) {
      const answer = await get(path);
      assert.equal(answer.status, 200, path);
      assert.match(answer.header("content-type"), type);
      assert.match(answer.body, body);
      assert.equal(answer.header("cache-control"), "no-store");
    }
    assert.equal((await get("/nothing")).status, 404);
  }));

test("admin: ready only while serving, healthy always", () =>
  withAdmin(null, async ({ get, plane }) => {
    for (const state of ["starting", "stopping"] as const) {
      plane.state = state;
      const answer = await get("/-/ready");
      assert.deepEqual([answer.status, answer.body], [503, `${state}\n`]);
      assert.equal((await get("/-/healthy")).status, 200);
      assert.equal((await get("/")).status, 200);
    }
  }));

test("admin: the policy names the hashes of the page's own script and style, and nothing else", () =>
  withAdmin(null, async ({ get }) => {
    const { body, header } = await get("/");
    const policy = header("content-security-policy");
    for (const kind of ["script", "style"]) {
      const source = new RegExp(`<${kind}>(.*?)</${kind}>`, "s").exec(body)?.[1] ?? "";
      const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(source));
      const hash = Buffer.from(digest).toString("base64");
      assert.ok(policy.includes(`${kind}-src 'sha256-${hash}';`), kind);
    }
    assert.match(policy, /^default-src 'none';/);
    assert.doesNotMatch(policy, /unsafe/);
  }));

test("admin: on the loopback a name that somebody else owns is not answered", () =>
  withAdmin(null, async ({ get, port }) => {
    for (const host of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "localhost.evil"]) {
      assert.equal((await get("/status.json", `Host: ${host}\r\n`)).status, 421, host);
    }
    for (const host of ["127.0.0.1", `localhost:${port}`, "[::1]:1", "sluice.localhost"]) {
      assert.equal((await get("/status.json", `Host: ${host}\r\n`)).status, 200, host);
    }
  }));

test("admin: without a token in the configuration there are no actions", () =>
  withAdmin(null, async ({ post, plane }) => {
    const answer = await post(new URLSearchParams({ token: "", action: "do=pause" }).toString());
    assert.equal(answer.status, 403);
    assert.deepEqual(plane.asked, []);
  }));

test("admin: an action needs the token, in the form or in Authorization", () =>
  withAdmin(TOKEN.replaceAll(" ", "_"), async ({ post, plane }) => {
    const token = TOKEN.replaceAll(" ", "_");
    const pause = "do=pause&upstream=app";
    for (const wrong of ["", "x", token + "x", token.slice(1), token.slice(0, -1), token.toUpperCase()]) {
      const form = new URLSearchParams({ token: wrong, action: pause }).toString();
      assert.equal((await post(form)).status, 401, wrong);
      const bearer = `Authorization: Bearer ${wrong}\r\n`;
      assert.equal((await post(new URLSearchParams({ action: pause }).toString(), bearer)).status, 401);
    }
    assert.deepEqual(plane.asked, []);
    const answer = await post(new URLSearchParams({ token, action: pause }).toString());
    assert.deepEqual([answer.status, answer.header("location")], [303, "/"]);
    const json = await post(
      new URLSearchParams({ action: "do=resume&upstream=app" }).toString(),
      `Authorization: Bearer ${token}\r\nAccept: application/json\r\n`,
    );
    assert.deepEqual([json.status, JSON.parse(json.body)], [200, { message: "app goes on." }]);
    assert.deepEqual(plane.asked, [["pause", "app", 0, null], ["resume", "app"]]);
  }));

test("admin: actions that other pages ask for, that there are not, and that are refused", () =>
  withAdmin("0123456789abcdef", async ({ post, plane, port }) => {
    const fields = "Authorization: Bearer 0123456789abcdef\r\nAccept: application/json\r\n";
    const form = (action: string) => new URLSearchParams({ action }).toString();
    for (const origin of ["http://evil.example", "null", `https://127.0.0.1:${port}`]) {
      assert.equal((await post(form("do=pause"), `${fields}Origin: ${origin}\r\n`)).status, 403, origin);
    }
    for (const action of ["", "do=stop", "do=drain", "do=undrain&upstream=app"]) {
      assert.equal((await post(form(action), fields)).status, 400, action);
    }
    assert.deepEqual(plane.asked, []);
    const own = `${fields}Origin: http://127.0.0.1:${port}\r\n`;
    assert.equal((await post(form("do=drain&upstream=app&endpoint=a%3A1"), own)).status, 200);
    assert.equal((await post(form("do=undrain&upstream=app&endpoint=a%3A1"), own)).status, 200);
    assert.deepEqual(plane.asked, [["drain", "a:1", "app", 30_000, false], ["undrain", "a:1", "app"]]);
    plane.answers.pause = { ok: false, code: "unknown_name", message: "There is no upstream x." };
    const refused = await post(form("do=pause&upstream=x"), own);
    assert.deepEqual([refused.status, JSON.parse(refused.body)], [404, {
      error: "unknown_name",
      message: "There is no upstream x.",
    }]);
  }));

test("the comparison of tokens", () => {
  assert.ok(sameText("abc", "abc"));
  for (const other of ["", "ab", "abcd", "abd", "Abc", "abc\0"]) assert.ok(!sameText(other, "abc"), other);
});

test("admin: nobody needs a long request body here", () =>
  withAdmin(null, async ({ port }) => {
    for (const path of ["/actions", "/nothing"]) {
      const answer = await askOnce(
        port,
        `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${16 * 1024 + 1}\r\n\r\n`,
      );
      assert.equal(answer.status, 413, path);
    }
  }));
