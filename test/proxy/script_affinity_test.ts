/** Requests that a script gives a key, or an endpoint: same key, same endpoint, as long as that is there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { to } from "../../src/script/decision.ts";
import type { HttpRequest } from "../../src/script/script_types.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptLab } from "../support/script_lab.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";

const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`;

/** /key/K and /endpoint/N decide; everything else goes as the policy says. */
async function withThree(
  more: string,
  act: (port: number, origins: readonly ScriptedOrigin[], lab: ScriptLab) => Promise<void>,
): Promise<void> {
  const origins = await Promise.all([0, 1, 2].map(() => ScriptedOrigin.listen()));
  for (const [at, origin] of origins.entries()) origin.auto(() => String(at));
  const addresses = origins.map(({ address }) => `"${address}"`).join(", ");
  const onRequest = ({ path }: HttpRequest) => {
    const [, kind, value = ""] = path.split("/");
    if (kind === "key") return to("app", { key: value });
    return kind === "endpoint"
      ? to("app", { endpoint: origins[Number(value)]?.address ?? value })
      : to("app");
  };
  try {
    await ScriptLab.with({ onRequest }, async (lab) => await act(lab.port, origins, lab), {
      yaml: `upstreams:\n  app: { endpoints: [${addresses}]${more} }\nroutes:\n  - { to: app }\n`,
    });
  } finally {
    for (const origin of origins) await origin.close();
  }
}

for (const more of ["", ", max_in_flight: 1", ", policy: least_conn"]) {
  test(`a key has one endpoint${more}`, () =>
    withThree(more, async (port, origins) => {
      const homes = new Map<string, string>();
      const ask = async (key: string) => (await askOnce(port, get(`/key/${key}`))).text;
      const keys = Array.from({ length: 20 }, (_, at) => `k${at}`);
      for (let round = 0; round < 3; round++) {
        const answers = await Promise.all(keys.map(ask));
        for (const [at, key] of keys.entries()) {
          const home = homes.get(key) ?? answers[at] as string;
          assert.equal(answers[at], home, key);
          homes.set(key, home);
        }
        // Others go round between them.
        await askOnce(port, get("/"));
      }
      assert.equal(new Set(homes.values()).size, 3);
      const gone = origins[0] as ScriptedOrigin;
      await gone.close();
      for (const [key, home] of homes) {
        const now = await ask(key);
        if (home === "0") assert.notEqual(now, "0", key);
        else assert.equal(now, home, key);
      }
    }));

  test(`an endpoint that is named comes first${more}`, () =>
    withThree(more, async (port, origins, { proxy }) => {
      const ask = async (name: string) => (await askOnce(port, get(`/endpoint/${name}`))).text;
      for (let round = 0; round < 3; round++) {
        const answers = await Promise.all(["0", "1", "2", "0", "1", "2"].map(ask));
        assert.deepEqual(answers, ["0", "1", "2", "0", "1", "2"]);
      }
      const client = await RawClient.connect(port);
      const others = new Set<string>();
      for (let round = 0; round < 12; round++) others.add((await client.ask(get("/"))).text);
      assert.equal(others.size > 1, true, "the others go as the policy says");
      client.destroy();
      await origins[1]?.close();
      assert.notEqual(await ask("1"), "1");
      assert.match(await ask("nobody"), /^[02]$/);
      await proxy.until("nothing in flight", () => proxy.upstream("app").inFlight === 0);
    }));
}
