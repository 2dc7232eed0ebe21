import assert from "node:assert/strict";
import { test } from "node:test";
import { controlRoutes } from "../../../src/admin/control_api.ts";
import { CONTROL_REFERENCE } from "../../../src/admin/control_reference.ts";
import { HttpServer } from "../../../src/server/http_server.ts";
import { EVENT_NAMES } from "../../../src/control/event.ts";
import { adapterFactory } from "../../support/adapter.ts";
import { FakePlane } from "../../support/fake_plane.ts";
import { RawClient } from "../../support/raw_client.ts";
import { within } from "../../support/watchdog.ts";

interface Lab {
  readonly plane: FakePlane;
  readonly port: number;
  /** Status and JSON of the answer. */
  post(
    path: string,
    body: unknown,
  ): Promise<{ readonly status: number; readonly told: Record<string, unknown> }>;
}

async function withApi(use: (lab: Lab) => Promise<void>): Promise<void> {
  const handlerErrors: unknown[] = [];
  const runtime = (await adapterFactory())({ onHandlerError: (error) => handlerErrors.push(error) });
  const plane = new FakePlane();
  const bugs: unknown[] = [];
  const server = await HttpServer.start(runtime, {
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    routes: controlRoutes(plane),
    onError: (error) => bugs.push(error),
  });
  const port = server.address.kind === "tcp" ? server.address.port : 0;
  const post: Lab["post"] = async (path, body) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const client = await RawClient.connect(port);
    const length = new TextEncoder().encode(text).length;
    const response = await client.ask(
      `POST ${path} HTTP/1.1\r\nHost: sluice\r\nContent-Length: ${length}\r\n\r\n${text}`,
    );
    client.destroy();
    return { status: response.status, told: JSON.parse(response.text) };
  };
  try {
    await use({ plane, port, post });
  } finally {
    await server.close(0);
    server.abort();
  }
  assert.deepEqual([handlerErrors, bugs], [[], []]);
}

test("the reference has every request there is", () => {
  const routes = controlRoutes(new FakePlane()).map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(CONTROL_REFERENCE.map(({ request }) => request), routes);
});

test("members that are left out have their defaults", () =>
  withApi(async ({ plane, post }) => {
    const cases: readonly (readonly [path: string, body: unknown, asked: unknown[]])[] = [
      ["/pause", "", ["pause", null, 0, null]],
      ["/pause", {}, ["pause", null, 0, null]],
      ["/pause", { upstream: null, lease_ms: 5 }, ["pause", null, 0, 5]],
      ["/pause", { owner: "operator" }, ["pause", null, 0, null]],
      ["/pause", { owner: "with_pause" }, ["pause", null, 0, null, "with_pause"]],
      ["/resume", { token: "t" }, ["resume", null, "t"]],
      ["/renew", { token: "t", lease_ms: 9 }, ["renew", "t", 9]],
      ["/drain", { endpoint: ":3000" }, ["drain", "127.0.0.1:3000", null, 30_000, false]],
      ["/drain", { endpoint: "no address" }, ["drain", "no address", null, 30_000, false]],
      ["/swap", { to: ["1"] }, ["swap", null, ["1"], null, 30_000, 30_000]],
      ["/wait", { for: "idle" }, ["wait", null, "idle", 30_000]],
      ["/explain", { url: "/" }, ["explain", { method: "GET", url: "/", headers: [], body_bytes: 0 }]],
    ];
    for (const [path, body, asked] of cases) {
      plane.asked.length = 0;
      const { status } = await post(path, body);
      assert.equal(status, 200, path);
      assert.deepEqual(plane.asked, [asked]);
    }
  }));

test("what makes no sense is told at once, with everything that is wrong", () =>
  withApi(async ({ plane, post }) => {
    const cases: readonly (readonly [path: string, body: unknown, message: RegExp])[] = [
      ["/pause", "{", /the body is not JSON/],
      ["/pause", "[]", /not a JSON object/],
      ["/pause", "null", /not a JSON object/],
      ["/pause", { owner: "upgrade" }, /owner: must be operator or with_pause/],
      ["/pause", { upstreem: "a" }, /"upstreem": unknown; there is upstream, wait_idle_ms, lease_ms/],
      ["/pause", { upstream: 5 }, /upstream: must be a text/],
      ["/pause", { lease_ms: 1.5 }, /lease_ms: must be a whole number/],
      ["/pause", { lease_ms: -1 }, /lease_ms/],
      ["/pause", { lease_ms: 1e12 }, /lease_ms/],
      ["/renew", {}, /token: is missing/],
      ["/drain", { endpoint: "a", wait: "yes" }, /wait: must be true or false/],
      ["/swap", {}, /to: is missing/],
      ["/swap", { to: "3000" }, /to: must be a list/],
      ["/swap", { to: [3000] }, /to: must be a list/],
      ["/wait", {}, /for: is missing/],
      ["/wait", { for: "luck" }, /for: must be healthy or idle/],
      ["/reload", { __proto__x: 1 }, /unknown/],
      ["/stop", { now: 1 }, /now: must be true or false/],
      ["/explain", {}, /url: is missing/],
    ];
    for (const [path, body, message] of cases) {
      const { status, told } = await post(path, body);
      assert.equal(status, 400, JSON.stringify(body));
      assert.equal(told["error"], "invalid");
      assert.match(String(told["message"]), message);
    }
    const { told } = await post("/pause", { upstream: 5, x: 1 });
    assert.deepEqual(told["problems"], [
      "upstream: must be a text that is not empty",
      '"x": unknown; there is upstream, wait_idle_ms, lease_ms, owner',
    ]);
    assert.deepEqual(plane.asked, []);
  }));

test("events are a line each, for everybody who watches", () =>
  withApi(async ({ plane, port }) => {
    const clients = await Promise.all([1, 2].map(() => RawClient.connect(port)));
    for (const client of clients) {
      await client.send("GET /events HTTP/1.1\r\nHost: sluice\r\n\r\n");
      await client.readUntil("\r\n\r\n");
    }
    assert.equal(plane.watchers, 2);
    plane.tell({ event: "stopping", time: "2026-01-01T00:00:00.000Z" });
    for (const client of clients) {
      assert.match(await client.readUntil("}\n"), /\{"event":"stopping","time":"2026[^\n]*\}\n$/);
      client.destroy();
    }
    for (let i = 0; i < 1000 && plane.watchers > 0; i++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(plane.watchers, 0);
    assert.equal(new Set(EVENT_NAMES).size, EVENT_NAMES.length);
  }));

test("who leaves while a verb waits is told to the plane", () =>
  withApi(async ({ plane, port }) => {
    for (const path of ["/pause", "/wait"] as const) {
      const asked = plane.asked.length;
      plane.answers.pause = plane.answers.wait = new Promise<never>(() => {});
      const client = await RawClient.connect(port);
      const body = path === "/wait" ? '{"for":"idle"}' : "{}";
      await client.send(
        `POST ${path} HTTP/1.1\r\nHost: sluice\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      while (plane.asked.length === asked) await new Promise((resolve) => setImmediate(resolve));
      const { left } = plane;
      assert.ok(left !== null && !left.aborted);
      const told = new Promise((resolve) => left.addEventListener("abort", resolve));
      client.destroy();
      await within(told, "the client's leaving");
    }
  }));
