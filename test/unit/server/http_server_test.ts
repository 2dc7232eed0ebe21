import assert from "node:assert/strict";
import { test } from "node:test";
import type { Runtime } from "../../../runtime/contract/contract.ts";
import { HttpCall } from "../../../src/client/http_call.ts";
import {
  type HttpRequest,
  type HttpRoute,
  JSON_LINES_TYPE,
  jsonReply,
  type Outlet,
} from "../../../src/server/http_message.ts";
import { HttpServer, type HttpServerOptions } from "../../../src/server/http_server.ts";
import { adapterFactory } from "../../support/adapter.ts";
import { RawClient } from "../../support/raw_client.ts";
import { within } from "../../support/watchdog.ts";

interface Lab {
  readonly runtime: Runtime;
  readonly server: HttpServer;
  readonly port: number;
  readonly errors: unknown[];
}

async function withServer(
  routes: readonly HttpRoute[],
  use: (lab: Lab) => Promise<void>,
  more: Partial<HttpServerOptions> = {},
): Promise<void> {
  const handlerErrors: unknown[] = [];
  const runtime = (await adapterFactory())({ onHandlerError: (error) => handlerErrors.push(error) });
  const errors: unknown[] = [];
  const server = await HttpServer.start(runtime, {
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    routes,
    onError: (error) => errors.push(error),
    ...more,
  });
  const { address } = server;
  try {
    await use({ runtime, server, port: address.kind === "tcp" ? address.port : 0, errors });
  } finally {
    await server.close(0);
    server.abort();
  }
  assert.deepEqual(handlerErrors, []);
}

const echo: HttpRoute = {
  method: "POST",
  path: "/echo",
  handle: async ({ method, path, query, body, header }) =>
    jsonReply(200, { method, path, query: [...query], body, accept: header("accept") }),
};
const hello: HttpRoute = { method: "GET", path: "/hello", handle: () => jsonReply(200, { hello: "wörld" }) };

test("requests reach their route, and several go over one connection", async () => {
  await withServer([echo, hello], async ({ port }) => {
    const client = await RawClient.connect(port);
    const first = await client.ask(
      "POST /echo?a=1&b=%20 HTTP/1.1\r\nHost: x\r\nAccept: q\r\nContent-Length: 5\r\n\r\nh\xc3\xa9y!",
    );
    assert.deepEqual(JSON.parse(Buffer.from(first.body).toString()), {
      method: "POST",
      path: "/echo",
      query: [["a", "1"], ["b", " "]],
      body: "héy!",
      accept: "q",
    });
    const second = await client.ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.equal(second.status, 200);
    assert.equal(second.field("content-type"), "application/json");
    assert.deepEqual(JSON.parse(Buffer.from(second.body).toString()), { hello: "wörld" });
    const third = await client.ask("HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert.equal(third.field("content-length"), String(second.bodyBytes));
    const fourth = await client.ask(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    );
    assert.equal(JSON.parse(fourth.text).body, "ab");
    client.destroy();
  });
});

test("requests that arrive together are answered in order", async () => {
  await withServer([echo, hello], async ({ port }) => {
    const client = await RawClient.connect(port);
    const bodies = ["1", "22", "333"];
    await client.send(
      bodies.map((body) => `POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
        .join(
          "",
        ),
    );
    for (const body of bodies) assert.equal(JSON.parse((await client.readResponse()).text).body, body);
    client.destroy();
  });
});

test("what cannot be answered is told as JSON", async () => {
  const broken: HttpRoute = {
    method: "GET",
    path: "/broken",
    handle: () => Promise.reject(new Error("a bug")),
  };
  const thrown: HttpRoute = {
    method: "GET",
    path: "/thrown",
    handle: () => {
      throw new Error("another");
    },
  };
  const big = 1024 * 1024 + 1;
  await withServer([echo, broken, thrown], async ({ port, errors }) => {
    const cases: readonly (readonly [request: string, status: number, code: string])[] = [
      ["GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"],
      ["GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"],
      ["BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"],
      ["GET /broken HTTP/1.1\r\nHost: x\r\n\r\n", 500, "internal_error"],
      ["GET /thrown HTTP/1.1\r\nHost: x\r\n\r\n", 500, "internal_error"],
      ["\x16\x03\x01\x00", 400, "bad_request"],
      ["GET /echo HTTP/1.1\r\n\r\n", 400, "bad_request"],
      ["POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n\xff", 400, "bad_request"],
      [`POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${big}\r\n\r\n`, 413, "too_large"],
      [
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
        `${big.toString(16)}\r\n${"a".repeat(big)}`,
        413,
        "too_large",
      ],
    ];
    for (const [request, status, code] of cases) {
      const client = await RawClient.connect(port);
      const response = await client.ask(request);
      const { error, message } = JSON.parse(response.text);
      assert.deepEqual([response.status, error], [status, code], request.slice(0, 40));
      assert.match(message, /^[A-Z].*\.$/);
      if (status === 405) assert.equal(response.field("allow"), "POST");
      client.destroy();
    }
    assert.equal(errors.length, 2);
  });
});

test("a body in the smallest chunks is one body, and no longer than is allowed", async () => {
  const chunks = (bytes: number) => "1\r\nx\r\n".repeat(bytes) + "0\r\n\r\n";
  const post = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  await withServer([echo], async ({ port }) => {
    const client = await RawClient.connect(port);
    assert.equal(JSON.parse((await client.ask(post + chunks(2000))).text).body, "x".repeat(2000));
    const refused = await client.ask(post + chunks(2001));
    assert.equal(refused.status, 413);
    assert.match(refused.text, /may have 2000 bytes/);
    client.destroy();
    const announced = await RawClient.connect(port);
    const early = await announced.ask("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2001\r\n\r\n");
    assert.equal(early.status, 413);
    announced.destroy();
  }, { maxBodyBytes: 2000 });
});

test("the guard is asked first", async () => {
  const guard = ({ header }: HttpRequest) =>
    header("x-token") === "t" ? null : jsonReply(403, { error: "no" });
  await withServer([hello], async ({ runtime, server }) => {
    const question = { method: "GET", target: "/hello", body: "", timeoutMs: 10_000 } as const;
    const refused = await HttpCall.begin(runtime, server.address, question).reply;
    assert.ok(refused.ok && refused.status === 403);
    const passed = await HttpCall.begin(runtime, server.address, { ...question, headers: { "X-Token": "t" } })
      .reply;
    assert.ok(passed.ok && passed.status === 200);
  }, { guard });
});

/** A stream whose outlet the test holds. */
function streaming(untilExit = false) {
  const begun = Promise.withResolvers<Outlet>();
  const over = Promise.withResolvers<void>();
  const route: HttpRoute = {
    method: "GET",
    path: "/stream",
    handle: () => ({
      status: 200,
      contentType: JSON_LINES_TYPE,
      untilExit,
      begin(out) {
        begun.resolve(out);
        return () => over.resolve();
      },
    }),
  };
  return { route, begun: within(begun.promise, "the stream"), over: within(over.promise, "its end") };
}

const ASK_STREAM = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n";

test("a stream arrives piece by piece, until the server ends it", async () => {
  const { route, begun, over } = streaming();
  await withServer([route], async ({ runtime, server }) => {
    const lines: string[] = [];
    let heard = Promise.withResolvers<void>();
    const call = HttpCall.begin(runtime, server.address, {
      method: "GET",
      target: "/stream",
      body: "",
      timeoutMs: null,
      line: (text) => {
        lines.push(text);
        heard.resolve();
        return true;
      },
    });
    const out = await begun;
    for (const line of ["1", "zwö", "3"]) {
      heard = Promise.withResolvers<void>();
      out.write(line + "\n");
      await within(heard.promise, line);
    }
    out.end();
    const answer = await within(call.reply, "the answer");
    await over;
    assert.ok(answer.ok && answer.contentType === JSON_LINES_TYPE);
    assert.deepEqual(lines, ["1", "zwö", "3"]);
    out.write("nobody\n");
    out.end();
  });
});

test("a stream is over when its client leaves, does not read, or the server closes", async () => {
  const left = streaming();
  await withServer([left.route], async ({ port }) => {
    const client = await RawClient.connect(port);
    await client.send(ASK_STREAM);
    await left.begun;
    client.destroy();
    await left.over;
  });
  const slow = streaming();
  await withServer([slow.route], async ({ port }) => {
    const client = await RawClient.connect(port, { paused: true });
    await client.send(ASK_STREAM);
    const out = await slow.begun;
    const piece = "x".repeat(64 * 1024);
    let over = false;
    void slow.over.then(() => over = true);
    // More than the kernel's buffers and our own bound together.
    for (let i = 0; i < 1000 && !over; i++) {
      out.write(piece);
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await slow.over;
    client.destroy();
  });
  const closed = streaming();
  await withServer([closed.route], async ({ port, server }) => {
    const client = await RawClient.connect(port);
    await client.send(ASK_STREAM);
    await closed.begun;
    const closing = server.close(10_000);
    await closed.over;
    assert.equal((await client.readResponse()).bodyBytes, 0);
    client.destroy();
    await within(closing, "the server to close");
  });
});

test("a stream until exit outlives the server", async () => {
  const { route, begun, over } = streaming(true);
  await withServer([route], async ({ port, server }) => {
    const client = await RawClient.connect(port);
    await client.send(ASK_STREAM);
    const out = await begun;
    await within(server.close(10_000), "the server to close");
    assert.equal(client.end, "open");
    out.write("still here\n");
    await client.readUntil("still here");
    server.abort();
    await within(over, "the end of the stream");
    await assert.rejects(client.readUntil("more"));
    client.destroy();
  });
});

test("closing does not wait for a stream until exit", async () => {
  const { route, begun } = streaming(true);
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const slow: HttpRoute = {
    method: "GET",
    path: "/slow",
    handle: async () => {
      asked.resolve();
      await answer.promise;
      return jsonReply(200, "late");
    },
  };
  await withServer([route, slow], async ({ server, port }) => {
    const staying = await RawClient.connect(port);
    staying.send(ASK_STREAM);
    await begun;
    const client = await RawClient.connect(port);
    const response = client.ask("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    await asked.promise;
    const closing = server.close(3_600_000);
    answer.resolve();
    assert.equal((await response).status, 200);
    client.destroy();
    await within(closing, "the end of the server");
    staying.destroy();
  });
});

test("a handler hears that its client has left", async () => {
  const asked = Promise.withResolvers<HttpRequest>();
  const answered = Promise.withResolvers<void>();
  const route: HttpRoute = {
    method: "POST",
    path: "/wait",
    handle: async (request) => {
      asked.resolve(request);
      await new Promise<void>((resolve) => request.signal.addEventListener("abort", () => resolve()));
      answered.resolve();
      return jsonReply(200, {});
    },
  };
  await withServer([route], async ({ port }) => {
    const client = await RawClient.connect(port);
    await client.send("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert.equal((await within(asked.promise, "the request")).signal.aborted, false);
    client.destroy();
    await within(answered.promise, "the handler");
  });
});

test("a client that has ended its sending side still gets its answer", async () => {
  await withServer([hello], async ({ port }) => {
    const client = await RawClient.connect(port);
    await client.send("GET /hello HTTP/1.0\r\n\r\n");
    await client.halfClose();
    assert.equal((await client.readResponse()).status, 200);
    await within(client.closed, "the end of the connection");
  });
});

test("closing waits for answers in progress, but not for ever", async () => {
  const answer = Promise.withResolvers<void>();
  let asked = Promise.withResolvers<void>();
  const route: HttpRoute = {
    method: "GET",
    path: "/slow",
    handle: async () => {
      asked.resolve();
      await answer.promise;
      return jsonReply(200, "done");
    },
  };
  await withServer([route], async ({ port, server }) => {
    const client = await RawClient.connect(port);
    const response = client.ask("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    await asked.promise;
    const closing = server.close(10_000);
    answer.resolve();
    assert.equal((await response).text, '"done"\n');
    client.destroy();
    await within(closing, "the server to close");
  });
  const never: HttpRoute = {
    ...route,
    handle: () => {
      asked.resolve();
      return new Promise<never>(() => {});
    },
  };
  asked = Promise.withResolvers<void>();
  await withServer([never], async ({ port, server }) => {
    const client = await RawClient.connect(port);
    await client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
    await asked.promise;
    await within(server.close(1), "the server to close");
    await assert.rejects(client.readUntil("more"));
    client.destroy();
  });
});

test("connections beyond the limit are told so", async () => {
  await withServer([hello], async ({ port }) => {
    const first = await RawClient.connect(port);
    await first.ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    const second = await RawClient.connect(port);
    const response = await second.readResponse();
    assert.equal(response.status, 503);
    assert.equal(JSON.parse(response.text).error, "too_many_connections");
    first.destroy();
    second.destroy();
  }, { maxConnections: 1 });
});
