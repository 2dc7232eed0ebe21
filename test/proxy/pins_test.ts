/** Logins that hold for a connection, over real sockets: nobody else ever gets such a connection. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReadRequest } from "../support/http_reader.ts";
import type { RawClient } from "../support/raw_client.ts";
import type { AutoAnswer, Peer, ScriptedOrigin } from "../support/scripted_origin.ts";
import { message, withLab } from "./lab.ts";

/** What the origin knows about its connections. */
class Sessions {
  readonly users = new Map<Peer, string>();
  readonly challenged = new Set<Peer>();

  answer(request: ReadRequest, peer: Peer): AutoAnswer {
    const [scheme = "", token = ""] = (request.field("Authorization") ?? "").split(" ");
    if (scheme === "NTLM" && token === "hello") {
      this.challenged.add(peer);
      return { status: 401, fields: [["WWW-Authenticate", "NTLM riddle"]] };
    }
    if (scheme === "NTLM") {
      if (!this.challenged.delete(peer)) return { status: 400, body: "torn" };
      this.users.set(peer, token);
    }
    if (scheme === "Negotiate") this.users.set(peer, token);
    return { body: this.users.get(peer) ?? "nobody" };
  }
}

function serve(origin: ScriptedOrigin): Sessions {
  const sessions = new Sessions();
  origin.auto((request, peer) => sessions.answer(request, peer));
  return sessions;
}

const get = (authorization = ""): string =>
  message([
    "GET / HTTP/1.1",
    "Host: a",
    ...(authorization === "" ? [] : [`Authorization: ${authorization}`]),
  ]);

async function login(client: RawClient, user: string): Promise<void> {
  const riddle = await client.ask(get("NTLM hello"));
  assert.equal(riddle.field("WWW-Authenticate"), "NTLM riddle");
  assert.equal((await client.ask(get(`NTLM ${user}`))).text, user);
}

test("a connection that a client has logged in on serves no other client, before and after its end", async () => {
  await withLab("", async ({ origin, connect }) => {
    serve(origin);
    const [alice, bob, stranger] = [await connect(), await connect(), await connect()];
    assert.equal((await stranger.ask(get())).text, "nobody");
    await login(alice, "alice");
    assert.equal((await bob.ask(get("Negotiate bob"))).text, "bob");
    for (let rounds = 0; rounds < 5; rounds++) {
      const answers = await Promise.all([alice, bob, stranger].map((client) => client.ask(get())));
      assert.deepEqual(answers.map(({ text }) => text), ["alice", "bob", "nobody"]);
    }
    alice.destroy();
    bob.destroy();
    const others = await Promise.all(Array.from({ length: 10 }, () => connect()));
    for (const other of others) assert.equal((await other.ask(get())).text, "nobody");
    assert.deepEqual(origin.autoErrors, []);
  });
});

test("the ends of a client's connection and of its pin follow one another", async () => {
  await withLab("", async ({ origin, connect, proxy }) => {
    const sessions = serve(origin);
    const peerOf = (user: string): Peer => {
      const [peer] = [...sessions.users].find(([, name]) => name === user) ?? [];
      assert.ok(peer !== undefined, user);
      return peer;
    };
    const alice = await connect();
    await login(alice, "alice");
    alice.destroy();
    await peerOf("alice").untilClosed();
    const bob = await connect();
    await login(bob, "bob");
    peerOf("bob").destroy();
    await bob.inbox.until("the end", () => bob.inbox.state === "open" ? undefined : true);
    const carol = await connect();
    await login(carol, "carol");
    peerOf("carol").reset();
    await carol.inbox.until("the end", () => carol.inbox.state === "open" ? undefined : true);
    const { endpoints } = proxy.upstream();
    assert.deepEqual(endpoints.map(({ pinned, pinnedIdle }) => [pinned, pinnedIdle]), [[0, 0]]);
  });
});

test("an upload on a pin goes where the client is known, whatever comes before it", async () => {
  await withLab("max_in_flight: 1\n", async ({ origin, connect }) => {
    serve(origin);
    const [alice, stranger] = [await connect(), await connect()];
    await login(alice, "alice");
    const body = "x".repeat(300_000);
    const head = ["POST / HTTP/1.1", "Host: a", `Content-Length: ${body.length}`];
    const [posted, got] = await Promise.all([alice.ask(message(head, body)), stranger.ask(get())]);
    assert.deepEqual([posted.text, got.text], ["alice", "nobody"]);
  });
});
