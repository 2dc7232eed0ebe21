/** One Sluice takes the place of another, as processes: sockets, files, connections that are open, failures. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { childrenOf, until, untilGone } from "../support/processes.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { able, get, handover, scene } from "../support/succession_scene.ts";

/** Requests one after the other, on one connection as long as that lives or on one each. Counts those answered. */
async function load(port: number, keepAlive: boolean, go: () => boolean): Promise<number> {
  let answered = 0;
  let client: RawClient | null = null;
  while (go()) {
    if (!keepAlive) {
      assert.equal((await askOnce(port, get("/once"))).status, 200);
    } else {
      client ??= await RawClient.connect(port);
      const answer = await client.ask(get("/kept"));
      assert.equal(answer.status, 200);
      if (answer.field("connection") === "close") {
        client.destroy();
        client = null;
      }
    }
    answered++;
  }
  client?.destroy();
  return answered;
}

for (const workers of ["1", "2"]) {
  const why = workers === "2" && process.platform !== "linux" ? "workers need Linux" : able.skip;
  test(
    `succession: no request is lost with ${workers} workers`,
    { skip: why },
    () =>
      scene(["--workers", workers], async ({ folder, sluice, pid, upgrade }) => {
        let loading = true;
        const loads = [true, true, false, false].map((keepAlive) =>
          load(sluice.port, keepAlive, () => loading)
        );
        const portFile = readFileSync(folder.file("port"), "latin1");
        const upgrades = async () => {
          try {
            for (let i = 0; i < 3; i++) {
              const old = pid();
              await upgrade();
              await untilGone(old);
              assert.equal(readFileSync(folder.file("port"), "latin1"), portFile);
              assert.equal(childrenOf(pid()).length, workers === "1" ? 0 : 2);
            }
          } finally {
            loading = false;
          }
        };
        const [, ...counts] = await Promise.all([upgrades(), ...loads]);
        for (const answered of counts) assert.ok(answered > 0);
        const last = pid();
        process.kill(last, "SIGTERM");
        await untilGone(last);
        assert.ok(
          !existsSync(folder.file("pid")) && !existsSync(folder.file("port")),
          "the last one cleans up",
        );
        // Its standard error is open as long as any of them is there.
        assert.equal((await sluice.ended).code, 0, "the first one");
      }),
  );
}

test(
  "succession: what is under way ends in the old process",
  able,
  () =>
    scene([], async ({ sluice, origin, pid, upgrade }) => {
      const held = Promise.withResolvers<void>();
      const asked = Promise.withResolvers<void>();
      origin.auto(async ({ target }) => {
        if (target === "/slow") {
          asked.resolve();
          await held.promise;
        }
        return target;
      });
      const client = await RawClient.connect(sluice.port);
      const slow = client.ask(get("/slow"));
      await asked.promise;
      const old = pid();
      await upgrade();
      assert.equal((await askOnce(sluice.port, get("/new"))).status, 200);
      assert.doesNotThrow(() => process.kill(old, 0), "the old process is there");
      held.resolve();
      assert.equal((await slow).status, 200);
      client.destroy();
      await untilGone(old);
    }),
);

test(
  "succession: max_in_flight 1 holds over both",
  able,
  () =>
    scene(["--max-in-flight", "1"], async ({ sluice, origin, pid, upgrade }) => {
      let serving = 0;
      let most = 0;
      origin.auto(async ({ target }) => {
        most = Math.max(most, ++serving);
        await new Promise((resolve) => setTimeout(resolve, 2));
        serving--;
        return target;
      });
      let loading = true;
      const loads = [true, true, true, false, false].map((keepAlive) =>
        load(sluice.port, keepAlive, () => loading)
      );
      const upgrades = async () => {
        try {
          for (let i = 0; i < 2; i++) {
            const old = pid();
            await upgrade();
            await untilGone(old);
            assert.equal((await askOnce(sluice.port, get("/afterwards"))).status, 200);
          }
        } finally {
          loading = false;
        }
      };
      await Promise.all([upgrades(), ...loads]);
      assert.equal(most, 1, "requests at a time");
    }),
);

test(
  "succession: pauses and swaps outlive the process that was asked for them",
  able,
  () =>
    scene([], async ({ sluice, pid, upgrade, verb }) => {
      const other = (await ScriptedOrigin.listen()).auto(() => ({ body: "the other" }));
      try {
        await verb("swap", "default", "--to", other.address);
        await verb("pause", "--lease", "60s");
        const old = pid();
        await upgrade();
        await untilGone(old);
        const held = askOnce(sluice.port, get("/held"));
        const status = await verb("status", "--json");
        assert.equal(JSON.parse(status).pid, pid());
        assert.notEqual(JSON.parse(status).upstreams[0].paused.lease_until, null);
        await verb("resume");
        assert.equal((await held).text, "the other");
        await verb("upgrade");
        assert.equal((await askOnce(sluice.port, get("/swapped"))).text, "the other");
      } finally {
        await other.close();
      }
    }),
);

test(
  "succession: a successor that fails changes nothing",
  able,
  () =>
    scene([], async ({ folder, sluice, pid, replaceProgram, upgrade }) => {
      const old = pid();
      const client = await RawClient.connect(sluice.port);
      const stays = async () => {
        assert.equal(pid(), old);
        assert.equal((await client.ask(get("/kept"))).status, 200);
        assert.equal((await askOnce(sluice.port, get("/new"))).status, 200);
        assert.equal(childrenOf(old).length, 0);
      };
      const program = readFileSync(folder.file("program.ts"), "latin1");
      const broken: readonly (readonly [string, RegExp])[] = [
        ["process.exit(7);", /ended with exit code 7 and has not said that it is Sluice/],
        ["process.kill(process.pid, 'SIGKILL');", /was ended by SIGKILL/],
        [
          "process.send({ type: 'hello', protocol: 99, version: '9.9.9' }); setInterval(() => {}, 1000);",
          /9\.9\.9/,
        ],
        [
          "process.send('nonsense'); process.send({ type: 'mine' }); setTimeout(() => process.exit(0), 200);",
          /exit code 0/,
        ],
        [
          `process.argv.push('--to', 'nonsense:'); ${program}`,
          /exit code 2 before it served; --to: must/,
        ],
      ];
      for (const [source, message] of broken) {
        replaceProgram(source);
        process.kill(old, "SIGUSR2");
        await sluice.said(message);
        await until("the end of the other process", () => childrenOf(old).length === 0);
        await stays();
      }
      // And after all that it can be replaced.
      replaceProgram(program);
      client.destroy();
      await upgrade();
      await untilGone(old);
      assert.equal((await askOnce(sluice.port, get("/new"))).status, 200);
    }),
);

test(
  "succession: refused where sockets cannot be handed over",
  { skip: handover ? "they can" : false },
  () =>
    scene([], async ({ sluice, pid }) => {
      const old = pid();
      // Deno listens for signals half a second after its start.
      const signals = setInterval(() => process.kill(old, "SIGUSR2"), 100);
      try {
        await sluice.said(/upgrade: listening sockets cannot be handed over with deno/);
      } finally {
        clearInterval(signals);
      }
      assert.equal((await askOnce(sluice.port, get("/new"))).status, 200);
      assert.equal(pid(), old);
    }),
);
