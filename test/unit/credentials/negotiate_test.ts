/** Negotiate: tokens come from elsewhere, and take their time. The whole program, in memory. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TokenContext, TokenSource, TokenStep } from "../../../runtime/contract/contract.ts";
import { formatProblem } from "../../../src/config/values/problem.ts";
import { loadConfig } from "../../../src/config/load_config.ts";
import { checkFiles } from "../../../src/serve/check_files.ts";
import { GuardedServer } from "../../support/guarded_server.ts";
import { MemorySystem } from "../../support/memory_system.ts";
import { answerOf, PlaneLab } from "../../support/plane_lab.ts";
import { turn } from "../../support/watchdog.ts";

/** Makes `1 svc`, `2 svc` and so on; a test may hold tokens back, or have none made. */
class ScriptedTokens implements TokenSource {
  user = "svc";
  readonly services: string[] = [];
  readonly given: string[] = [];
  ended = 0;
  failure = "";
  /** Called before a token is made. */
  before: () => Promise<void> = () => Promise.resolve();

  begin(service: string): TokenContext {
    this.services.push(service);
    let steps = 0;
    let open = true;
    return {
      step: async (token): Promise<TokenStep> => {
        this.given.push(token === "" ? "" : atob(token));
        await this.before();
        if (this.failure !== "") return { kind: "failed", words: this.failure };
        return { kind: "token", token: btoa(`${++steps} ${this.user}`) };
      },
      end: () => {
        if (open) this.ended++;
        open = false;
      },
    };
  }
}

const YAML = `
to: 3000
credential: corp
credentials: {corp: {scheme: negotiate, cleartext: true}}
`;

async function withTokens(
  yaml: string,
  scene: (lab: PlaneLab, guard: GuardedServer, tokens: ScriptedTokens) => Promise<void>,
): Promise<void> {
  const tokens = new ScriptedTokens();
  const lab = await PlaneLab.start(yaml, {}, {}, {}, (system) => (system.tokens = tokens));
  const guard = new GuardedServer(await lab.backend(3000), { svc: "" }, ["negotiate"]);
  await scene(lab, guard, tokens);
  await lab.stop();
  assert.equal(tokens.ended, tokens.services.length, "a context was left open");
}

async function ask(lab: PlaneLab, target: string): Promise<string> {
  const client = lab.ask(target);
  await lab.until("an answer", () => client.received !== "", 5000);
  await lab.pass(5);
  return answerOf(client);
}

test("handshakes of one to four tokens, and not more", async () => {
  for (const count of [1, 2, 3, 4, 5]) {
    await withTokens(YAML, async (lab, guard, tokens) => {
      guard.tokens = count;
      assert.equal(await ask(lab, "/a"), count > 4 ? "401 xxxx" : "200 svc /a ");
      assert.deepEqual(tokens.services, ["HTTP@127.0.0.1"]);
      assert.deepEqual(tokens.given, ["", "next 1", "next 2", "next 3"].slice(0, Math.min(count, 4)));
      if (count > 4) return;
      const before = guard.asked.length;
      assert.equal(await ask(lab, "/b"), "200 svc /b ");
      assert.equal(guard.asked.length, before + 1);
    });
  }
});

test("without a ticket the challenge is the client's", async () => {
  await withTokens(YAML, async (lab, guard, tokens) => {
    tokens.failure = "no ticket";
    assert.equal(await ask(lab, "/a"), "401 xxxx");
    assert.equal(guard.asked.length, 1);
    // A ticket that comes later is used.
    tokens.failure = "";
    assert.equal(await ask(lab, "/b"), "200 svc /b ");
  });
});

test("while a token is made: the origin ends its connection, the client leaves, the endpoint is drained", async () => {
  for (const what of ["origin", "client", "drain", "stop"] as const) {
    await withTokens(YAML, async (lab, guard, tokens) => {
      const held = Promise.withResolvers<void>();
      tokens.before = () => held.promise;
      const client = lab.ask("/a");
      await lab.until("a token to be wanted", () => tokens.given.length === 1, 5000);
      const [backend] = lab.backends;
      if (what === "origin") { for (const peer of backend?.peers ?? []) peer.socket.close(); }
      if (what === "client") client.socket.abort();
      if (what === "drain") void lab.plane.drain("127.0.0.1:3000", null, 50, false);
      if (what === "stop") return;
      await lab.pass(200);
      held.resolve();
      await turn();
      await lab.pass(50);
      if (what === "origin") {
        // Another connection, and a handshake of its own.
        await lab.until("an answer", () => client.received !== "", 5000);
        assert.equal(answerOf(client), "200 svc /a ");
        assert.equal(tokens.services.length, 2);
      } else assert.equal(guard.asked.length, 1);
    });
  }
});

test("the service can be named, and a parent is asked as its host", async () => {
  await withTokens(
    YAML.replace("scheme: negotiate", "scheme: negotiate, service: HTTP@other.example"),
    async (lab, _, tokens) => {
      assert.equal(await ask(lab, "/a"), "200 svc /a ");
      assert.deepEqual(tokens.services, ["HTTP@other.example"]);
    },
  );
});

test("where no tokens can be made, a configuration that needs them is refused with a sentence", async () => {
  const loaded = loadConfig({ flags: {}, env: {}, file: { path: "s.yaml", text: YAML } });
  assert.ok(loaded.ok);
  const { problems } = await checkFiles(new MemorySystem(), loaded, 0);
  assert.match(
    problems.map(formatProblem).join(),
    /^s\.yaml:\d+: credentials\.corp\.scheme: tokens for negotiate cannot be made here: install/,
  );
  const helped = loadConfig({
    flags: {},
    env: {},
    file: { path: "s.yaml", text: YAML.replace("negotiate,", "negotiate, helper: x,") },
  });
  assert.ok(helped.ok);
  assert.deepEqual((await checkFiles(new MemorySystem(), helped, 0)).problems, []);
});
