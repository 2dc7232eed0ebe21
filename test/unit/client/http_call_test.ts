import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { Runtime } from "../../../runtime/contract/contract.ts";
import { type CallReply, type CallRequest, HttpCall } from "../../../src/client/http_call.ts";
import { adapterFactory } from "../../support/adapter.ts";
import { within } from "../../support/watchdog.ts";

const REQUEST: CallRequest = { method: "GET", target: "/", body: "", timeoutMs: 10_000 };

/** Sends a request to a server that does `behave` with each connection. */
async function replyOf(
  behave: (socket: Socket) => void,
  more: Partial<CallRequest> = {},
): Promise<CallReply> {
  const runtime = await adapter();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("end", () => socket.destroy());
    behave(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const request = { ...REQUEST, ...more };
  const answer = await within(
    HttpCall.begin(runtime, { kind: "tcp", host: "127.0.0.1", port }, request).reply,
    "an answer",
  );
  await new Promise((resolve) => server.close(resolve));
  return answer;
}

async function adapter(): Promise<Runtime> {
  return (await adapterFactory())({
    onHandlerError: (error) => {
      throw error;
    },
  });
}

/** Reads the head of the request, says `text`, and then ends in order when `end` is true. */
function saying(text: string, end = true): (socket: Socket) => void {
  return (socket) =>
    socket.once("data", () => {
      if (end) socket.end(text, "latin1");
      else socket.write(text, "latin1");
    });
}

test("answers of every framing", async () => {
  const answers = [
    "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nh\xc3\xa9yo",
    "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nh\xc3\r\n3\r\n\xa9yo\r\n0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\nh\xc3\xa9yo",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nh\xc3\xa9yo",
  ];
  for (const text of answers) {
    assert.deepEqual(await replyOf(saying(text)), {
      ok: true,
      status: 200,
      contentType: "a/b",
      body: "héyo",
    });
  }
});

test("the question arrives whole, long ones too", async () => {
  const body = "ä".repeat(200_000);
  let heard = "";
  const answer = await replyOf((socket) => {
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      heard += text;
      if (heard.length >= 400_000 && heard.split("\r\n\r\n")[1]?.length === 400_000) {
        socket.end("HTTP/1.1 204 No Content\r\n\r\n");
      }
    });
  }, { method: "POST", target: "/a?b", body, headers: { "X-Q": "1" } });
  assert.ok(answer.ok && answer.status === 204);
  assert.match(heard, /^POST \/a\?b HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\nConnection: close\r\n/);
  assert.match(heard, /\r\nContent-Length: 400000\r\nX-Q: 1\r\n\r\n/);
  assert.equal(Buffer.from(heard.slice(heard.indexOf("\r\n\r\n") + 4), "latin1").toString(), body);
});

test("everything that is no answer says why", async () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
  const cases: readonly (readonly [(socket: Socket) => void, code: string, begun: boolean])[] = [
    [saying("SSH-2.0-OpenSSH_9.2\r\n"), "garbage", false],
    [saying("HTTP/1.1 abc\r\n\r\n"), "garbage", false],
    [saying("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), "garbage", false],
    [saying("HTTP/1.1 100 Continue\r\n\r\n".repeat(100), false), "garbage", false],
    [saying("HTTP/1.1 101 Switching Protocols\r\n\r\n", false), "garbage", false],
    [saying(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}`, false), "garbage", false],
    [saying(""), "closed", false],
    [saying("HTTP/1.1 200"), "closed", false],
    [saying(head + "some"), "closed", true],
    [(socket) => void socket.destroy(), "closed", false],
  ];
  for (const [behave, code, begun] of cases) {
    const answer = await replyOf(behave);
    assert.ok(!answer.ok);
    assert.deepEqual([answer.code, answer.begun], [code, begun], answer.detail);
  }
});

test("an answer that is too long or too late", async () => {
  const flood = await replyOf((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const piece = "x".repeat(1024 * 1024);
    const more = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on("drain", more);
    more();
  });
  assert.ok(!flood.ok && flood.code === "garbage");
  for (
    const behave of [
      (socket: Socket) => void socket.resume(),
      saying("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", false),
    ]
  ) {
    const late = await replyOf(behave, { timeoutMs: 30 });
    assert.ok(!late.ok && late.code === "timeout");
  }
});

test("nobody listens", async () => {
  const runtime = await adapter();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const tcp = await within(
    HttpCall.begin(runtime, { kind: "tcp", host: "127.0.0.1", port }, REQUEST).reply,
    "an answer",
  );
  assert.ok(!tcp.ok && tcp.code === "absent");
  if (!runtime.capabilities.unixSockets) return;
  const unix = await within(
    HttpCall.begin(runtime, { kind: "unix", path: "/nowhere/at.sock" }, REQUEST).reply,
    "an answer",
  );
  assert.ok(!unix.ok && unix.code === "absent");
});

test("lines come as they are completed, also when they are split", async () => {
  const lines: string[] = [];
  const line = (text: string): boolean => {
    lines.push(text);
    return true;
  };
  const chunks = ["a\nb", "b\n", "\n\xc3", "\xa9\nlast"];
  const text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
    chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("") + "0\r\n\r\n";
  const answer = await replyOf(saying(text), { line });
  assert.ok(answer.ok && answer.body === "");
  assert.deepEqual(lines, ["a", "bb", "", "é", "last"]);
});

test("a stream is left when the listener says so, and its cut is told", async () => {
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const heard: string[] = [];
  const left = await replyOf(saying(`${head}6\r\na\nb\nc\n\r\n`, false), {
    line: (text) => {
      heard.push(text);
      return text !== "b";
    },
  });
  assert.ok(left.ok);
  assert.deepEqual(heard, ["a", "b"]);
  const cut = await replyOf(saying(`${head}6\r\na\nb\nc\n\r\n`), { line: () => true });
  assert.ok(!cut.ok && cut.code === "closed" && cut.begun);
  const error = await replyOf(saying("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\n{}\n"), {
    line: () => assert.fail("not a stream"),
  });
  assert.ok(error.ok && error.status === 404 && error.body === "{}\n");
});

test("giving up", async () => {
  const runtime = await adapter();
  const server = createServer((socket) => socket.on("error", () => {}));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const call = HttpCall.begin(runtime, { kind: "tcp", host: "127.0.0.1", port }, {
    ...REQUEST,
    timeoutMs: null,
  });
  call.cancel();
  call.cancel();
  const answer = await within(call.reply, "an answer");
  assert.ok(!answer.ok && answer.code === "closed");
  await new Promise((resolve) => server.close(resolve));
});
