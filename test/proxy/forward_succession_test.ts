/** Tunnels while one Sluice takes the place of another, and while it stops: as processes. */

import process from "node:process";
import { test } from "node:test";
import { freePort } from "../support/free_port.ts";
import { untilGone } from "../support/processes.ts";
import { RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { able, scene } from "../support/succession_scene.ts";
import { connectTo } from "./forward_lab.ts";

test("an upgrade leaves open tunnels with the old process until they end", able, async () => {
  const there = await ScriptedOrigin.listen();
  const port = await freePort();
  const config = (origin: string) => `to: ${origin}\nforward: 127.0.0.1:${port}\ndrain_timeout: 20s\n`;
  try {
    await scene([], async ({ pid, upgrade }) => {
      const open = async () => {
        const client = await RawClient.connect(port);
        await client.send(connectTo(there.address));
        const peer = await there.accept();
        await client.readUntil("\r\n\r\n");
        return { client, peer };
      };
      const before = await open();
      const old = pid();
      await upgrade();
      const after = await open();
      for (const { client, peer } of [before, after]) {
        await client.send("up");
        await peer.readUntil("up");
        await peer.send("down");
        await client.readUntil("down");
      }
      process.kill(old, 0);
      await before.client.halfClose();
      await before.peer.halfClose();
      await before.client.untilClosed();
      await untilGone(old);
      const last = pid();
      process.kill(last, "SIGTERM");
      await after.client.send("still");
      await after.peer.readUntil("still");
      await after.peer.halfClose();
      await after.client.halfClose();
      await untilGone(last);
    }, { config });
  } finally {
    await there.close();
  }
});
