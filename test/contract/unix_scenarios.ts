/** Unix sockets in a temporary folder. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
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
    name: "a path that is in use, also by a socket that nobody listens on any more",
    async run(lab) {
      if (!await capable(lab)) return;
      const address = freshPath(lab);
      await lab.listen({ address });
      await listenFails(lab, { address }, "address_in_use");
      await lab.dial(address);
      // As good as a stale socket: the path is taken, and a dial is refused.
      const stale = freshPath(lab);
      fs.writeFileSync(stale.path, "");
      await listenFails(lab, { address: stale }, "address_in_use");
      assert.ok(fs.existsSync(stale.path), "the caller decides what to remove");
      assert.equal((await lab.dialFailure(stale)).code, "connection_refused");
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
