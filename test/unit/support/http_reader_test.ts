import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { EndedEarly, Inbox } from "../../support/inbox.ts";
import {
  MalformedMessage,
  readRequest,
  readResponse,
  type ReadResponseOptions,
} from "../../support/http_reader.ts";
import { toBytes } from "../../support/wire.ts";

function filled(text: string): Inbox {
  const inbox = new Inbox();
  inbox.push(toBytes(text));
  inbox.end();
  return inbox;
}

function response(text: string, options: ReadResponseOptions = {}) {
  return readResponse(filled(text), options);
}

describe("reader of responses", () => {
  test("a body of known length, and nothing beyond it", async () => {
    const inbox = filled("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A:  b \r\n\r\nabcHTTP");
    const read = await readResponse(inbox);
    assert.equal(read.status, 200);
    assert.equal(read.reason, "OK");
    assert.equal(read.version, "1.1");
    assert.equal(read.field("x-a"), "b");
    assert.equal(read.text, "abc");
    assert.equal(read.framing, "length");
    assert.equal(inbox.unread.length, 4);
  });

  test("chunks and trailers", async () => {
    const read = await response(
      "HTTP/1.1 200 \r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0A\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
    );
    assert.equal(read.text, "abc0123456789");
    assert.deepEqual(read.chunkSizes, [3, 10]);
    assert.deepEqual(read.trailers, [["T", "v"]]);
  });

  test("a body that ends with the connection", async () => {
    const read = await response("HTTP/1.0 200 OK\r\n\r\nuntil the end");
    assert.equal(read.framing, "close");
    assert.equal(read.text, "until the end");
  });

  test("interim responses are listed, 101 is final", async () => {
    const seen: number[] = [];
    const read = await response(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
      { onInterim: (interim) => seen.push(interim.status) },
    );
    assert.equal(read.status, 101);
    assert.deepEqual(read.interim.map((each) => each.status), [103, 100]);
    assert.deepEqual(read.interim[0]?.fields, [["Link", "</a>"]]);
    assert.deepEqual(seen, [103, 100]);
  });

  test("responses without a body whatever the fields say", async () => {
    assert.equal(
      (await response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", { method: "HEAD" })).bodyBytes,
      0,
    );
    assert.equal((await response("HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n")).framing, "none");
    assert.equal((await response("HTTP/1.1 204 No\r\n\r\n")).framing, "none");
    assert.equal((await response("HTTP/1.1 200 OK\r\n\r\ntunnel", { method: "CONNECT" })).framing, "none");
  });

  test("a large body goes to onBody piece by piece", async () => {
    let seen = 0;
    const read = await response("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef", {
      onBody: (bytes) => seen += bytes.length,
    });
    assert.equal(seen, 6);
    assert.equal(read.bodyBytes, 6);
    assert.equal(read.body.length, 0);
  });

  const malformed = {
    "bare LF": "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "bare CR": "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
    "no space after the status": "HTTP/1.1 200\r\n\r\n",
    "another protocol": "HTTP/2 200 OK\r\n\r\n",
    "status of two digits": "HTTP/1.1 20 OK\r\n\r\n",
    "space before the colon": "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
    "folded line": "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
    "NUL in a value": "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
    "two lengths": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "length and chunked":
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length list": "HTTP/1.1 200 OK\r\nContent-Length: 0, 0\r\n\r\n",
    "length with a sign": "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
    "chunked in 1.0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunk extension": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n",
    "chunk size with 0x": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
    "chunk longer than said": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n",
    "length in a 204": "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n",
    "chunked in a 100": "HTTP/1.1 100 C\r\nTransfer-Encoding: chunked\r\n\r\n",
  };
  for (const [name, text] of Object.entries(malformed)) {
    test(`refused: ${name}`, async () => {
      await assert.rejects(response(text), MalformedMessage);
    });
  }

  const incomplete = {
    "nothing at all": "",
    "half a head": "HTTP/1.1 200 OK\r\nContent-",
    "a short body": "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
    "no last chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    "no end of the trailers": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
  };
  for (const [name, text] of Object.entries(incomplete)) {
    test(`cut short: ${name}`, async () => {
      await assert.rejects(response(text), EndedEarly);
    });
  }

  test("a reset does not end a body", async () => {
    const inbox = new Inbox();
    inbox.push(toBytes("HTTP/1.0 200 OK\r\n\r\nhalf"));
    inbox.fail("ECONNRESET");
    await assert.rejects(readResponse(inbox), EndedEarly);
  });
});

describe("reader of requests", () => {
  test("byte by byte", async () => {
    const inbox = new Inbox();
    const reading = readRequest(inbox);
    for (
      const byte of toBytes(
        "POST /a?b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
      )
    ) {
      inbox.push(Uint8Array.of(byte));
      await Promise.resolve();
    }
    const read = await reading;
    assert.equal(read.method, "POST");
    assert.equal(read.target, "/a?b");
    assert.equal(read.text, "hi");
  });

  test("a request that declares no content has none", async () => {
    const inbox = filled("GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    assert.equal((await readRequest(inbox)).framing, "none");
    assert.equal((await readRequest(inbox)).target, "/2");
  });

  test("malformed request lines", async () => {
    for (
      const line of ["GET  / HTTP/1.1", "GET / HTTP/1.2", "G@T / HTTP/1.1", "GET /a b HTTP/1.1", "GET /"]
    ) {
      await assert.rejects(readRequest(filled(`${line}\r\n\r\n`)), MalformedMessage, line);
    }
  });
});
