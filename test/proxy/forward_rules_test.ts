/** Rules of the forward proxy over real sockets: names and their addresses, and what is held while a destination is away. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ScriptedParent } from "../support/scripted_parent.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { anonymous, connectTo, transcriptOf, withForward } from "./forward_lab.ts";
import { message } from "./lab.ts";

const HOSTS = "127.0.0.1 here.test\n10.255.255.7 inside.test\n192.0.2.9 elsewhere.test\n";
const OK = message(["HTTP/1.1 200 OK", "Content-Length: 2"], "ok");

test("a direct rule under an allowed block: the name is looked up and goes; others are refused", async () => {
  await withForward({
    hosts: HOSTS,
    forward: "allow: [127.0.0.0/8]\nrules: [{host: here.test, direct: true}, {parents: [127.0.0.1:1]}]",
  }, async ({ begin, connect, origin }) => {
    const port = origin.address.split(":")[1];
    const { client, peer } = await begin(message([`GET http://here.test:${port}/x HTTP/1.1`, "Host: x"]));
    await peer.send(OK);
    assert.equal((await client.readUntil("ok")).slice(9, 12), "200");
    const other = await connect();
    await other.send(connectTo("other.test:443"));
    assert.match(await transcriptOf(other), /^HTTP\/1\.1 403 Forbidden \(sluice: only its address/);
  });
});

test("an address that must not be dialled is refused at once, not held", async () => {
  await withForward({
    hosts: HOSTS,
    forward: "deny: [127.0.0.0/8]\nhold_direct: {here.test: 20s}",
  }, async ({ connect, origin }) => {
    const port = origin.address.split(":")[1];
    const lines = [
      connectTo(`here.test:${port}`),
      message([`GET http://here.test:${port}/ HTTP/1.1`, "Host: x", "Connection: close"]),
    ];
    for (const line of lines) {
      const client = await connect();
      await client.send(line);
      assert.match(
        anonymous(await transcriptOf(client)),
        /^HTTP\/1\.1 403 .*error=destination_ip_prohibited/s,
      );
    }
  });
});

test("a name goes by the parent of its addresses, with resolve only", async () => {
  const parents = [await ScriptedParent.listen("looks"), await ScriptedParent.listen("all")] as const;
  try {
    for (const [resolve, who] of [["true", "looks"], ["false", "all"]] as const) {
      const rules = `rules: [{cidr: 10.0.0.0/8, resolve: ${resolve}, parents: ["${parents[0].url}"]}]`;
      await withForward(
        { hosts: HOSTS, forward: `${rules}\nparents: ["${parents[1].url}"]` },
        async ({ connect }) => {
          const client = await connect();
          const url = "http://inside.test/";
          await client.send(message([`GET ${url} HTTP/1.1`, "Host: x", "Connection: close"]));
          assert.match(await transcriptOf(client), new RegExp(`${who} was asked for ${url}$`));
          const unknown = await connect();
          await unknown.send(
            message(["GET http://elsewhere.test/ HTTP/1.1", "Host: x", "Connection: close"]),
          );
          assert.match(await transcriptOf(unknown), /all was asked for http:\/\/elsewhere\.test\/$/);
        },
      );
    }
  } finally {
    for (const parent of parents) await parent.kill();
  }
});

test("hold_direct: a destination that comes back after its clients have asked", async () => {
  const back = await ScriptedOrigin.listen();
  const { address } = back;
  await back.stopListening();
  await withForward({ forward: `hold_direct: "127.0.0.0/8=20s"` }, async ({ connect }) => {
    const get = await connect();
    await get.send(message([`GET http://${address}/x HTTP/1.1`, "Host: x"]));
    const tunnel = await connect();
    await tunnel.send(connectTo(address));
    const leaver = await connect();
    await leaver.send(connectTo(address));
    leaver.destroy();
    await back.listenAgain();
    try {
      const answers = [get.readUntil("ok"), tunnel.readUntil("\r\n\r\n")];
      for (let served = 0; served < 2; served++) {
        const peer = await back.accept();
        // The tunnel's connection stays silent: nothing was sent in it.
        void peer.readUntil("\r\n\r\n").then(() => peer.send(OK), () => {});
      }
      const [first = "", second = ""] = await Promise.all(answers);
      assert.match(first, /^HTTP\/1\.1 200 OK/);
      assert.match(second, /^HTTP\/1\.1 200 Connection established/);
    } finally {
      await back.close();
    }
  });
});
