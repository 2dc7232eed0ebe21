/** Unix sockets in a temporary folder. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { createServer } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { listenFails } from "./connect_scenarios.ts";
import type { Lab, Scenario } from "./lab.ts";
import { Pattern } from "./pattern.ts";
import { turns } from "./watch.ts";

const MIB = 1024 * 1024;

export const unixScenarios: readonly Scenario[] = [
  {
    name: "a Unix socket carries bytes both ways and has no addresses",
    async run(lab) {
      if (!await capable(lab)) return;
      const { client, server, host } = await lab.pair({ address: freshPath(lab) });
      assert.equal(host.address.kind, "unix");
      for (const { socket } of [client, server]) {
        assert.deepEqual([socket.remoteAddress, socket.remotePort], ["", 0]);
        assert.deepEqual([socket.localAddress, socket.localPort], ["", 0]);
      }
      client.say("question");
      await server.whenReceived(8);
      server.say("answer");
      await client.whenReceived(6);
    },
  },
  {
    name: "half-close, backpressure and 8 MiB each way over a Unix socket",
    async run(lab) {
      if (!await capable(lab)) return;
      const { client, server } = await lab.pair({ address: freshPath(lab) });
      const [there, back] = [new Pattern(60), new Pattern(61)];
      server.expects = there;
      client.expects = back;
      server.onData = () => {
        server.pause();
        turns(1).then(() => server.resume());
      };
      await client.send(there, 8 * MIB);
      client.finish();
      await server.whenEnded();
      assert.equal(server.receivedBytes, 8 * MIB);
      await server.send(back, 8 * MIB);
      server.close();
      await client.whenEnded();
      assert.equal(client.receivedBytes, 8 * MIB);
      await Promise.all([client.whenClosed("finished"), server.whenClosed("finished")]);
    },
  },
  {
    name: "an end behind unread bytes of a Unix socket is told of during a pause, as the capability says",
    async run(lab) {
      if (!await capable(lab)) return;
      const { client, server } = await lab.pair({ address: freshPath(lab) }, {}, {
        server: (end) => end.pause(),
      });
      client.say("unread");
      client.finish();
      if (lab.runtime.capabilities.endWhilePaused) {
        await server.until("the end to be told", () => server.ahead !== "no");
        assert.equal(server.ahead, "end");
      }
      server.resume();
      await server.whenEnded();
      assert.equal(server.text, "unread");
    },
  },
  {
    name: "abort of a Unix socket ends the connection at once",
    async run(lab) {
      if (!await capable(lab)) return;
      const { client, server } = await lab.pair({ address: freshPath(lab) });
      client.abort();
      await client.whenClosed("aborted");
      // Unix sockets know no reset of their own: an orderly end is what there is.
      await server.until("an end", () => server.endedSeen || server.closedWith !== null);
      const second = await lab.pair({ address: freshPath(lab) }, {}, { server: (end) => end.pause() });
      second.client.fill(new Pattern(62));
      second.client.abort();
      await second.client.whenClosed("aborted");
    },
  },
  {
    name: "close of the listener removes the path and keeps the connections",
    async run(lab) {
      if (!await capable(lab)) return;
      const address = freshPath(lab);
      const { client, server, host } = await lab.pair({ address });
      assert.ok(fs.existsSync(address.path));
      await host.close();
      assert.ok(!fs.existsSync(address.path));
      client.say("still here");
      await server.whenReceived(10);
      assert.equal((await lab.dialFailure(address)).code, "connection_refused");
      const again = await lab.listen({ address });
      await lab.dial(address);
      await again.accept();
    },
  },
  {
    name: "a path that is in use: by a listener, a file, a symbolic link, a folder",
    async run(lab) {
      if (!await capable(lab)) return;
      const address = freshPath(lab);
      await lab.listen({ address });
      await listenFails(lab, { address }, "address_in_use");
      await lab.dial(address);
      const other = freshPath(lab);
      for (
        const make of [
          () => fs.writeFileSync(other.path, "text"),
          () => fs.mkdirSync(other.path),
          () => fs.symlinkSync(deadSocket(lab, freshPath(lab).path), other.path),
        ]
      ) {
        make();
        const { ino } = fs.lstatSync(other.path);
        await listenFails(lab, { address: other }, "address_in_use");
        assert.equal(fs.lstatSync(other.path).ino, ino, "it stays");
        assert.deepEqual(fs.readdirSync(path.dirname(other.path)), ["s"], "and nothing beside it");
        assert.equal((await lab.dialFailure(other)).code, "connection_refused");
        fs.rmSync(other.path, { recursive: true });
      }
    },
  },
  {
    name: "a socket that a killed process left behind is replaced",
    async run(lab) {
      if (!await capable(lab)) return;
      const address = freshPath(lab);
      deadSocket(lab, address.path);
      assert.equal((await lab.dialFailure(address)).code, "connection_refused");
      const host = await lab.listen({ address });
      assert.deepEqual(fs.readdirSync(path.dirname(address.path)), ["s"]);
      await lab.dial(address);
      await host.accept();
      await host.close();
      assert.deepEqual(fs.readdirSync(path.dirname(address.path)), []);
    },
  },
  {
    name: "of several that replace one socket, one listens and the others are told",
    async run(lab) {
      if (!await capable(lab)) return;
      const address = freshPath(lab);
      deadSocket(lab, address.path);
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, () => lab.listen({ address })),
      );
      const [host, ...more] = outcomes.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
      assert.ok(host !== undefined && more.length === 0, `${more.length + 1} listen`);
      assert.deepEqual(fs.readdirSync(path.dirname(address.path)), ["s"]);
      await lab.dial(address);
      await host.accept();
    },
  },
  {
    name: "close removes a path only while it is the listener's own",
    async run(lab) {
      if (!await capable(lab)) return;
      const address = freshPath(lab);
      const first = await lab.listen({ address });
      fs.unlinkSync(address.path);
      const second = await lab.listen({ address });
      await first.close();
      await lab.dial(address);
      await second.accept();
      await second.close();
      assert.ok(!fs.existsSync(address.path));
      const third = await lab.listen({ address });
      fs.unlinkSync(address.path);
      fs.writeFileSync(address.path, "text");
      await third.close();
      assert.equal(fs.readFileSync(address.path, "utf8"), "text");
    },
  },
  {
    name: "who may open a socket is settled before it has its path",
    async run(lab) {
      if (!await capable(lab)) return;
      for (const mode of [0o600, 0o660, 0o777]) {
        const address = freshPath(lab);
        const { uid, gid } = fs.lstatSync(path.dirname(address.path));
        await lab.listen({ address, access: { mode, owner: null, group: gid } });
        const status = fs.lstatSync(address.path);
        assert.deepEqual([status.mode & 0o777, status.uid, status.gid], [mode, uid, gid]);
        await lab.dial(address);
      }
    },
  },
  {
    name: "a path that does not exist refuses",
    async run(lab) {
      if (!await capable(lab)) return;
      assert.equal((await lab.dialFailure(freshPath(lab))).code, "connection_refused");
    },
  },
  {
    name: "a handler that throws on a Unix socket costs that socket",
    async run(lab) {
      if (!await capable(lab)) return;
      const { client, server } = await lab.pair({ address: freshPath(lab) });
      const boom = new Error("thrown by a test");
      server.mayBeAborted = true;
      server.onData = () => {
        throw boom;
      };
      client.say("x");
      await server.whenClosed("aborted");
      assert.deepEqual(lab.handlerErrors.splice(0), [boom]);
    },
  },
];

/** True when there are Unix sockets; otherwise the adapter must say so. */
async function capable(lab: Lab): Promise<boolean> {
  if (lab.runtime.capabilities.unixSockets) return true;
  const address = freshPath(lab);
  await listenFails(lab, { address }, "platform_error");
  assert.equal((await lab.dialFailure(address)).code, "platform_error");
  return false;
}

/** A path in a folder of its own, which goes at the end of the scenario. */
export function freshPath(lab: Lab): { readonly kind: "unix"; readonly path: string } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sluice-"));
  lab.defer(() => fs.rmSync(folder, { recursive: true, force: true }));
  return { kind: "unix", path: path.join(folder, "s") };
}

/** As a process leaves it behind that is killed: a socket that nobody has open any more. */
function deadSocket(lab: Lab, name: string): string {
  const living = freshPath(lab).path;
  const server = createServer().listen(living);
  fs.linkSync(living, name);
  server.close();
  return name;
}
