/** Listening, dialling, cancelling and closing listeners, adapter to adapter. */
import assert from "node:assert/strict";
import { SocketFailure } from "../../runtime/contract/contract.ts";
import type { Address, ListenOptions, SocketErrorCode } from "../../runtime/contract/contract.ts";
import type { Lab, Scenario } from "./lab.ts";
import { poll, turns } from "./watch.ts";

export const connectScenarios: readonly Scenario[] = [
  {
    name: "port 0 becomes a port, and two listeners get two",
    async run(lab) {
      const [first, second] = [await lab.listen(), await lab.listen()];
      assert.ok(first.port > 0 && first.port < 65_536);
      assert.notEqual(first.port, second.port);
      assert.deepEqual(first.address, { kind: "tcp", host: "127.0.0.1", port: first.port });
    },
  },
  {
    name: "an address that is in use",
    async run(lab) {
      const host = await lab.listen();
      await listenFails(lab, { address: host.address }, "address_in_use");
      await lab.dial(host.address);
      await host.accept();
    },
  },
  {
    name: "reusePort: two listeners on one port, or a refusal that says so",
    async run(lab) {
      if (!lab.runtime.capabilities.reusePort) {
        await listenFails(lab, { reusePort: true }, "platform_error");
        return;
      }
      const first = await lab.listen({ reusePort: true });
      const second = await lab.listen({ reusePort: true, address: first.address });
      assert.equal(first.port, second.port);
      for (let i = 0; i < 10; i++) await lab.dial(first.address);
      await poll("ten connections", () => first.count + second.count === 10);
      await first.close();
      await lab.dial(second.address);
    },
  },
  ...([["0.0.0.0", "::"], ["::", "0.0.0.0"], ["127.0.0.1", "::"], ["::1", "127.0.0.1"]] as const).map(
    ([first, second]): Scenario => ({
      name: `${first} and ${second} on one port: each gets its own family`,
      async run(lab) {
        const one = await lab.listen({ address: { kind: "tcp", host: first, port: 0 } });
        const address: Address = { kind: "tcp", host: second, port: one.port };
        if (!lab.runtime.capabilities.ipv6Only && [first, second].some((host) => host === "::")) {
          await listenFails(lab, { address }, "address_in_use");
          return;
        }
        const other = await lab.listen({ address });
        const [four, six] = first.includes(":") ? [other, one] : [one, other];
        for (const [host, listener] of [["127.0.0.1", four], ["::1", six]] as const) {
          const client = await lab.dial({ kind: "tcp", host, port: one.port });
          const server = await listener.accept();
          assert.equal(server.socket.remoteAddress, host);
          assert.equal(client.socket.localAddress, host);
        }
        assert.deepEqual([four.count, six.count], [1, 1]);
      },
    }),
  ),
  {
    name: "a listener on all IPv6 addresses is none of IPv4's",
    async run(lab) {
      const host = await lab.listen({ address: { kind: "tcp", host: "::", port: 0 } });
      const four: Address = { kind: "tcp", host: "127.0.0.1", port: host.port };
      if (lab.runtime.capabilities.ipv6Only) {
        assert.equal((await lab.dialFailure(four)).code, "connection_refused");
        return;
      }
      await lab.dial(four);
      assert.equal((await host.accept()).socket.remoteAddress, "127.0.0.1");
    },
  },
  {
    name: "nobody listens",
    async run(lab) {
      const host = await lab.listen();
      await host.close();
      const error = await lab.dialFailure(host.address);
      assert.equal(error.code, "connection_refused", error.detail);
    },
  },
  {
    name: "a closed listener accepts nothing more, keeps what it has, and frees its port",
    async run(lab) {
      const { client, server, host } = await lab.pair();
      await host.close();
      await host.close();
      assert.equal((await lab.dialFailure(host.address)).code, "connection_refused");
      client.say("still here");
      await server.whenReceived(10);
      server.say("me too");
      await client.whenReceived(6);
      const again = await lab.listen({ address: host.address });
      assert.equal(again.port, host.port);
      await lab.dial(again.address);
      await again.accept();
      assert.equal(host.count, 1);
    },
  },
  {
    name: "a dial that is cancelled at once is never heard of",
    async run(lab) {
      const host = await lab.listen();
      const call = lab.startDial(host.address);
      call.cancel();
      call.cancel();
      // A connection after it shows that its time is over.
      await lab.dial(host.address);
      await host.accept();
      await turns(20);
      assert.equal(call.endpoint, null);
      assert.equal(call.error, null);
    },
  },
  {
    name: "a dial that is cancelled after a turn leaves nothing open",
    async run(lab) {
      const host = await lab.listen();
      for (let delay = 0; delay < 6; delay++) {
        const call = lab.startDial(host.address);
        for (let i = 0; i < delay && call.endpoint === null; i++) await turns(1);
        if (call.endpoint !== null) call.endpoint.abort();
        else call.cancel();
        await turns();
      }
      // Marks the end of those that are accepted.
      const client = await lab.dial(host.address);
      for (;;) {
        const server = await host.accept();
        if (server.socket.remotePort === client.socket.localPort) break;
        await server.until("the drop", () => server.endedSeen || server.closedWith !== null);
      }
    },
  },
  {
    name: "cancel after opened does nothing",
    async run(lab) {
      const host = await lab.listen();
      const call = lab.startDial(host.address);
      const client = await call.whenOpen();
      call.cancel();
      const server = await host.accept();
      client.say("still open");
      await server.whenReceived(10);
    },
  },
  {
    name: "a dial with an impossible port fails, and does not throw",
    async run(lab) {
      const error = await lab.dialFailure({ kind: "tcp", host: "127.0.0.1", port: 99_999 });
      assert.ok(["platform_error", "connection_refused"].includes(error.code), error.code);
    },
  },
  {
    name: "a dial to a name is not the adapter's to make",
    async run(lab) {
      const host = await lab.listen();
      const error = await lab.dialFailure({ kind: "tcp", host: "localhost", port: host.port });
      assert.equal(error.code, "dns_error", error.detail);
    },
  },
  {
    name: "IP literals resolve to themselves",
    async run(lab) {
      assert.deepEqual(await lab.runtime.resolve("127.0.0.1"), ["127.0.0.1"]);
      assert.deepEqual(await lab.runtime.resolve("::1"), ["::1"]);
      assert.ok((await lab.runtime.resolve("localhost")).includes("127.0.0.1"));
    },
  },
  {
    name: "a name that does not resolve",
    async run(lab) {
      const name = "no-such-name.invalid";
      await assert.rejects(lab.runtime.resolve(name), isFailure("dns_error"));
    },
  },
  {
    name: "the clock runs, fires in order, and cancelled timers stay silent",
    async run(lab) {
      const { clock } = lab.runtime;
      const started = clock.now();
      assert.ok(Math.abs(clock.wall() - Date.now()) < 60_000 || lab.runtime.name === "memory");
      const fired: string[] = [];
      clock.setTimer(0, () => fired.push("cancelled")).cancel();
      await new Promise<void>((resolve) => {
        clock.setTimer(0, () => fired.push("now"));
        clock.setTimer(40, () => {
          fired.push("later");
          resolve();
        }, false);
        clock.setTimer(20, () => fired.push("soon"), true);
      });
      assert.deepEqual(fired, ["now", "soon", "later"]);
      assert.ok(clock.now() - started >= 39);
    },
  },
];

/** For `assert.rejects`. */
export function isFailure(code: SocketErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SocketFailure, `not a SocketFailure: ${error}`);
    assert.equal(error.code, code, error.detail);
    return true;
  };
}

export async function listenFails(
  lab: Lab,
  options: Partial<ListenOptions>,
  code: SocketErrorCode,
): Promise<void> {
  await assert.rejects(lab.listen(options), isFailure(code));
}

export function tcp(port: number): Address {
  return { kind: "tcp", host: "127.0.0.1", port };
}
