import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EndedEarly } from "../../support/inbox.ts";
import { askOnce, RawClient } from "../../support/raw_client.ts";
import { ScriptedOrigin } from "../../support/scripted_origin.ts";
import { WatchdogError } from "../../support/watchdog.ts";
import { acrossChunks, inOneChunk } from "../../support/wire.ts";

async function pair() {
  const origin = await ScriptedOrigin.listen();
  const client = await RawClient.connect(origin.port);
  const peer = await origin.accept();
  return { origin, client, peer };
}

describe("raw client and scripted origin", () => {
  test("bytes arrive in order however they are sent", async () => {
    const { origin, client, peer } = await pair();
    await client.send("whole ");
    await client.dribble("dribbled ");
    await client.sendSplit("split|here|end", [5, 10]);
    assert.equal(await peer.readUntil("end"), "whole dribbled split|here|end");
    assert.equal(peer.transcript, "whole dribbled split|here|end");
    assert.equal(client.localPort, peer.remotePort);
    await origin.close();
    client.destroy();
  });

  test("readUntil leaves what follows unread", async () => {
    const { origin, client, peer } = await pair();
    await client.send("one\ntwo\nthree");
    assert.equal(await peer.readUntil("\n"), "one\n");
    assert.equal(await peer.readUntil((text) => text.includes("three")), "two\nthree");
    assert.equal(peer.inbox.unread.length, 0);
    await origin.close();
    client.destroy();
  });

  test("half-close: the other direction goes on", async () => {
    const { origin, client, peer } = await pair();
    await client.send("question");
    await client.halfClose();
    assert.equal(await peer.readToEnd(), "question");
    await peer.send("answer");
    await peer.halfClose();
    assert.equal(await client.readToEnd(), "answer");
    assert.equal(await client.untilClosed(), "ended");
    assert.equal(await peer.untilClosed(), "ended");
    await origin.close();
  });

  test("a reset is seen as one", async () => {
    const { origin, client, peer } = await pair();
    await client.send("a");
    await peer.read(1);
    client.reset();
    await assert.rejects(peer.readToEnd(), EndedEarly);
    assert.equal(await peer.untilClosed(), "reset");
    await origin.close();
  });

  test("pause holds the sender back, resume loses nothing", async () => {
    const { origin, client, peer } = await pair();
    peer.pause();
    const total = 16 * 1024 * 1024;
    let sent = false;
    const sending = client.send(new Uint8Array(total)).then(() => sent = true);
    // A round trip the other way proves that the sender had its chance.
    await peer.send("!");
    await client.readUntil("!");
    assert.equal(sent, false);
    peer.record = false;
    peer.resume();
    await sending;
    await peer.inbox.until("all of it", () => peer.inbox.totalBytes === total ? true : undefined);
    await origin.close();
    client.destroy();
  });

  test("reading at a rate still reads all", async () => {
    const { origin, client, peer } = await pair();
    client.readAtRate(4_000_000);
    await peer.send(new Uint8Array(200_000));
    await peer.halfClose();
    assert.equal((await client.readToEnd()).length, 200_000);
    client.destroy();
    await origin.close();
  });

  test("sending slowly sends all", async () => {
    const { origin, client, peer } = await pair();
    await peer.sendSlowly("0123456789", 1000);
    await peer.halfClose();
    assert.equal(await client.readToEnd(), "0123456789");
    client.destroy();
    await origin.close();
  });

  test("scripted answer: requests and responses are read strictly", async () => {
    const { origin, client, peer } = await pair();
    const asking = client.ask("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
    const request = await peer.readRequest();
    assert.equal(request.text, "hi");
    await peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    await peer.respond({ status: 201, body: "done", fields: [["X-Y", "z"]] });
    const response = await asking;
    assert.equal(response.status, 201);
    assert.equal(response.field("x-y"), "z");
    assert.equal(response.text, "done");
    assert.equal(response.interim.length, 1);
    await origin.close();
    client.destroy();
  });

  test("auto mode serves several requests of a connection", async () => {
    const origin = (await ScriptedOrigin.listen()).auto((request) => `${request.method} ${request.target}`);
    const client = await RawClient.connect(origin.port);
    assert.equal((await client.ask("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n")).text, "GET /1");
    assert.equal((await client.ask("HEAD /2 HTTP/1.1\r\nHost: h\r\n\r\n")).text, "");
    const last = await client.ask("GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    assert.equal(last.field("connection"), "close");
    assert.equal(await client.readToEnd(), "");
    assert.equal(origin.connections, 1);
    assert.equal((await askOnce(origin.port, "GET /4 HTTP/1.1\r\nHost: h\r\n\r\n")).text, "GET /4");
    assert.equal(origin.connections, 2);
    assert.deepEqual(origin.autoErrors, []);
    client.destroy();
    await origin.close();
  });

  test("going away: refused meanwhile, the same port afterwards, old connections live on", async () => {
    const { origin, client, peer } = await pair();
    for (let round = 0; round < 5; round++) {
      await origin.stopListening();
      assert.equal(origin.listening, false);
      await assert.rejects(RawClient.connect(origin.port), { code: "ECONNREFUSED" });
      await origin.listenAgain();
      const again = await RawClient.connect(origin.port);
      (await origin.accept()).destroy();
      again.destroy();
    }
    await client.send("still here");
    await peer.readUntil("still here");
    client.destroy();
    await origin.close();
  });

  test("content is found in whatever chunks it comes, and nothing but chunk sizes between", () => {
    for (
      const text of [
        "3\r\nabc\r\n",
        "1\r\na\r\n2\r\nbc\r\n",
        "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n",
        "xabcx",
      ]
    ) {
      assert.match(text, acrossChunks("abc"));
    }
    for (const text of ["1\r\na\r\n1\r\nc\r\n", "a\r\nbc", "1\r\na\r\n2\r\nb"]) {
      assert.doesNotMatch(text, acrossChunks("abc"));
    }
    assert.match("1\r\n.\r\n1\r\n*\r\n", acrossChunks(".*"));
    assert.doesNotMatch("ab", acrossChunks(".*"));
    assert.equal(inOneChunk("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), "3\r\nabc\r\n0\r\n\r\n");
    assert.equal(inOneChunk("8\r\n12345678\r\n8\r\n90123456\r\n"), "10\r\n1234567890123456\r\n");
    assert.equal(inOneChunk("1\r\na\r\n2\r\nb"), "1\r\na\r\n2\r\nb", "a chunk that is not complete");
    assert.equal(inOneChunk("abc"), "abc");
    assert.equal(inOneChunk(""), "");
  });

  test("a watchdog that barks says what it waited for", async () => {
    const { origin, client } = await pair();
    client.inbox.watchdogMs = 20;
    await assert.rejects(client.readUntil("never"), (error) => {
      assert.ok(error instanceof WatchdogError);
      assert.match(error.message, /still waiting for "never"; 0 bytes received/);
      return true;
    });
    client.destroy();
    await origin.close();
  });

  test("Unix sockets", { skip: process.platform === "win32" ? "the platform has none" : false }, async () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-"));
    const path = join(folder, "s");
    const origin = (await ScriptedOrigin.listen({ path })).auto(() => "over unix");
    assert.equal(origin.address, `unix:${path}`);
    assert.equal((await askOnce({ path }, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")).text, "over unix");
    await origin.close();
    rmSync(folder, { recursive: true });
  });
});
