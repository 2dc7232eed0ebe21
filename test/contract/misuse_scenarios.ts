/** Aborting, misuse, and handlers that throw: nothing but the socket concerned may suffer. */
import assert from "node:assert/strict";
import type { Endpoint } from "./endpoint.ts";
import type { Call, Lab, Scenario } from "./lab.ts";
import { Pattern } from "./pattern.ts";
import { poll, turns } from "./watch.ts";

const BOOM = new Error("thrown by a test");

export const misuseScenarios: readonly Scenario[] = [
  {
    name: "write after finish, close, abort and closed takes nothing",
    async run(lab) {
      for (const method of ["finish", "close", "abort"] as const) {
        const { client, server } = await lab.pair();
        client[method]();
        assert.equal(client.write(new Uint8Array(10)), 0);
        await turns();
        // `Endpoint` knows that this is dead and complains about anything but 0.
        client.write(new Uint8Array(10));
        server.close();
        await client.whenClosed();
        client.exerciseAfterClosed();
        await turns();
        assert.equal(server.receivedBytes, 0);
        assert.equal(client.drains, 0);
      }
    },
  },
  {
    name: "every method may be called twice and after every other",
    async run(lab) {
      const methods = ["pause", "resume", "finish", "close", "abort"] as const;
      for (const first of methods) {
        for (const second of methods) {
          const { client, server } = await lab.pair();
          client.say("x");
          client[first]();
          client[second]();
          client[first]();
          client[second]();
          await turns(1);
          client.abort();
          await client.whenClosed();
          server.abort();
          await server.whenClosed();
        }
      }
    },
  },
  {
    name: "abort closes at once, and the peer sees what the capability says",
    async run(lab) {
      const { client, server } = await lab.pair();
      client.abort();
      await client.whenClosed("aborted");
      await seesAbort(lab, server);
    },
  },
  {
    name: "abort in the middle of a transfer drops what was taken",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      const pattern = new Pattern(20);
      server.expects = pattern;
      client.fill(pattern);
      client.abort();
      await client.whenClosed("aborted");
      server.resume();
      await seesAbort(lab, server);
      assert.equal(client.drains, 0);
    },
  },
  {
    name: "abort after finish and after close, while bytes are stuck",
    async run(lab) {
      for (const method of ["finish", "close"] as const) {
        const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
        await client.saturate(new Pattern(21));
        client[method]();
        await turns();
        // Unless the adapter has given every byte to the kernel, which goes on without us.
        const done = method === "close" && client.closedWith !== null;
        client.abort();
        await client.whenClosed(done ? "finished" : "aborted");
        server.abort();
      }
    },
  },
  {
    name: "abort inside accepted and inside opened",
    async run(lab) {
      const host = await lab.listen();
      host.prepare = (end) => end.abort();
      const call = lab.startDial(host.address);
      await (await host.accept()).whenClosed("aborted");
      await dialSeesAbort(lab, call);
      const second = await lab.pair({}, {}, { client: (end) => end.abort() });
      await second.client.whenClosed("aborted");
      await seesAbort(lab, second.server);
    },
  },
  {
    name: "close and finish inside accepted and inside opened",
    async run(lab) {
      const closing = await lab.pair({}, {}, { server: (end) => end.close() });
      await closing.server.whenClosed("finished");
      await closing.client.whenEnded();
      const finishing = await lab.pair({}, {}, {
        server: (end) => end.finish(),
        client: (end) => end.finish(),
      });
      await Promise.all([finishing.server.whenClosed("finished"), finishing.client.whenClosed("finished")]);
    },
  },
  {
    name: "abort inside data: nothing more is delivered",
    async run(lab) {
      const { client, server } = await lab.pair();
      server.onData = () => server.abort();
      client.fill(new Pattern(22));
      await server.whenClosed("aborted");
      await seesAbort(lab, client);
    },
  },
  {
    name: "close inside data: nothing more is delivered",
    async run(lab) {
      const { client, server } = await lab.pair();
      server.onData = () => server.close();
      client.say("one");
      await server.whenClosed("finished");
      client.write(new Uint8Array(100));
      await turns();
    },
  },
  {
    name: "abort inside drained and inside ended",
    async run(lab) {
      const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
      client.onDrained = () => client.abort();
      client.fill(new Pattern(23));
      server.resume();
      await client.whenClosed("aborted");
      await seesAbort(lab, server);
      const second = await lab.pair();
      second.server.onEnded = () => second.server.abort();
      second.client.finish();
      await second.server.whenClosed("aborted");
      await second.client.whenClosed();
    },
  },
  {
    name: "the peer's abort while we are idle, paused and writing",
    async run(lab) {
      const idle = await lab.pair();
      idle.client.abort();
      await seesAbort(lab, idle.server);
      const paused = await lab.pair({}, {}, { server: (end) => end.pause() });
      paused.client.say("lost or not");
      paused.client.abort();
      await paused.client.whenClosed("aborted");
      await turns();
      // May have been closed by now, or it is noticed after `resume`.
      if (paused.server.closedWith === null) paused.server.resume();
      await seesAbort(lab, paused.server);
      const writing = await lab.pair({}, {}, { client: (end) => end.pause() });
      writing.server.fill(new Pattern(24));
      writing.client.abort();
      await writing.server.whenClosed("reset");
    },
  },
  ...(["data", "drained", "ended"] as const).map((event): Scenario => ({
    name: `a handler that throws in ${event} costs its own socket only`,
    run: (lab) => throwIn(lab, event),
  })),
  {
    name: "a handler that throws in closed is reported and nothing else",
    async run(lab) {
      const { client, server } = await lab.pair();
      client.onClosed = fail;
      client.close();
      await client.whenClosed("finished");
      await server.whenEnded();
      await turns();
      assert.deepEqual(lab.handlerErrors.splice(0), [BOOM]);
    },
  },
  {
    name: "accepted that throws drops the connection, and the listener lives on",
    async run(lab) {
      const host = await lab.listen();
      host.prepare = fail;
      await dialSeesAbort(lab, lab.startDial(host.address));
      await poll("the report", () => lab.handlerErrors.length > 0);
      assert.deepEqual(lab.handlerErrors.splice(0), [BOOM]);
      host.prepare = () => {};
      await lab.dial(host.address);
      (await host.accept()).say("alive");
    },
  },
  {
    name: "opened that throws drops the connection",
    async run(lab) {
      const host = await lab.listen();
      lab.startDial(host.address, {}, fail);
      const server = await host.accept();
      await seesAbort(lab, server);
      assert.deepEqual(lab.handlerErrors.splice(0), [BOOM]);
    },
  },
];

function fail(): never {
  throw BOOM;
}

/** The other end has been aborted. */
export async function seesAbort(lab: Lab, end: Endpoint): Promise<void> {
  if (lab.runtime.capabilities.abortSendsReset) {
    await end.whenClosed("reset");
    return;
  }
  // An orderly end, unless bytes of ours were on the way: those are answered by a reset.
  await end.until("an end", () => end.endedSeen || end.closedWith !== null);
  end.finish();
  const { code } = await end.whenClosed();
  assert.ok(code === "finished" || code === "reset", code);
}

/** As `seesAbort`; an abort inside `accepted` can be faster than the news that the connection is open. */
async function dialSeesAbort(lab: Lab, call: Call): Promise<void> {
  await call.until("an outcome", () => call.endpoint !== null || call.error !== null);
  if (call.endpoint !== null) await seesAbort(lab, call.endpoint);
  else assert.equal(call.error?.code, "connection_terminated");
}

async function throwIn(lab: Lab, event: "data" | "drained" | "ended"): Promise<void> {
  const bystander = await lab.pair();
  const { client, server } = await lab.pair({}, {}, { server: (end) => end.pause() });
  client.mayBeAborted = true;
  if (event === "data") {
    client.onData = fail;
    server.say("x");
  } else if (event === "drained") {
    client.onDrained = fail;
    client.fill(new Pattern(25));
  } else {
    client.onEnded = fail;
    server.finish();
  }
  server.resume();
  await client.whenClosed("aborted");
  assert.deepEqual(lab.handlerErrors.splice(0), [BOOM]);
  assert.equal(client.write(new Uint8Array(1)), 0);
  bystander.client.say("unharmed");
  await bystander.server.whenReceived(8);
}
