/** The examples of docs/scripts.md, each as a process, doing what it says. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ReadRequest, ReadResponse } from "../support/http_reader.ts";
import { ownProgram, until } from "../support/processes.ts";
import { askOnce, RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { ScratchFolder, Serving } from "../smoke/program.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples/scripts/", import.meta.url));

interface Scene {
  readonly folder: ScratchFolder;
  readonly sluice: Serving;
  readonly origins: Readonly<Record<string, ScriptedOrigin>>;
  ask(target: string, ...fields: readonly string[]): Promise<ReadResponse>;
}

const tried = new Set<string>();

/** The runtime of the executable runs all of them. Others have loaders of their own, and take seconds to start. */
const ALL = "Bun" in globalThis;
const WITH_LOADERS: readonly string[] = ["hello", "sign", "auth", "events", "dynamic_upstreams"];

/**
 * @param upstreams that the example names; the first is where the routes lead to, and each answers with its name and what it was asked
 * @param files that are there when it starts
 */
function example(
  name: string,
  upstreams: readonly string[],
  act: (scene: Scene) => Promise<void>,
  { files = () => ({}), edit = (text) => text }: {
    readonly files?: (origins: Scene["origins"]) => Readonly<Record<string, string>>;
    /** So that less has to be waited for. */
    readonly edit?: (text: string) => string;
  } = {},
): void {
  tried.add(name);
  if (!ALL && !WITH_LOADERS.includes(name)) return;
  test(name, async () => {
    const folder = new ScratchFolder();
    const origins: Record<string, ScriptedOrigin> = {};
    let sluice: Serving | null = null;
    for (const upstream of upstreams) {
      const origin = await ScriptedOrigin.listen();
      origins[upstream] = origin.auto((request: ReadRequest) =>
        `${upstream} ${request.method} ${request.target}`
      );
    }
    const lines = upstreams.map((upstream) =>
      `  ${upstream}: { endpoints: ["${origins[upstream]?.address}"], hold: 0 }\n`
    );
    writeFileSync(
      folder.file("sluice.yaml"),
      `script: ${name}.ts\nupstreams:\n${lines.join("")}routes:\n  - { to: ${upstreams[0]} }\n`,
    );
    writeFileSync(folder.file(`${name}.ts`), edit(readFileSync(`${EXAMPLES}${name}.ts`, "utf8")));
    for (const [file, text] of Object.entries(files(origins))) writeFileSync(folder.file(file), text);
    try {
      const serving = sluice = await Serving.start(ownProgram(), ["--config", "sluice.yaml"], folder);
      const ask = (target: string, ...fields: readonly string[]) => {
        const lines = ["Host: example.test", ...fields].map((line) => `${line}\r\n`).join("");
        return askOnce(serving.port, `GET ${target} HTTP/1.1\r\n${lines}\r\n`);
      };
      await act({ folder, sluice: serving, origins, ask });
      await serving.stop();
    } finally {
      sluice?.kill();
      for (const origin of Object.values(origins)) await origin.close();
      folder.remove();
    }
  });
}

example("hello", ["app"], async ({ ask }) => {
  assert.equal((await ask("/you")).text, "hello /you\n");
});

example("router", ["app"], async ({ ask }) => {
  assert.equal((await ask("/health")).text, "fine\n");
  assert.equal((await ask("/users/7")).text, '{"id":"7"}');
  assert.equal((await ask("/files/a/b")).text, "file a/b\n");
  assert.equal((await ask("/other")).text, "app GET /other");
});

example("tenant", ["app", "acme", "globex"], async ({ ask }) => {
  assert.equal((await ask("/", "X-Tenant: acme")).text, "acme GET /");
  assert.equal((await ask("/", "Cookie: a=b; tenant=globex")).text, "globex GET /");
  assert.equal((await ask("/")).status, 404);
});

example("ab", ["app", "stable", "candidate"], async ({ ask }) => {
  const arms = new Map<string, string>();
  for (let round = 0; round < 2; round++) {
    for (let session = 0; session < 40; session++) {
      const { text } = await ask("/", `Cookie: session=s${session}`);
      const before = arms.get(`s${session}`) ?? text;
      assert.equal(text, before);
      arms.set(`s${session}`, text);
    }
  }
  const candidates = [...arms.values()].filter((text) => text.startsWith("candidate")).length;
  assert.ok(candidates > 0 && candidates < 20, `${candidates} of 40`);
});

example("canary", ["app", "stable", "canary"], async ({ ask, folder }) => {
  assert.equal((await ask("/")).text, "stable GET /");
  writeFileSync(folder.file("canary.txt"), "100");
  let last = "";
  const asking = (async () => {
    while (last !== "canary GET /") last = (await ask("/")).text;
  })();
  await until("the canary", () => last === "canary GET /");
  await asking;
}, { files: () => ({ "canary.txt": "0" }) });

example("sign", ["app"], async ({ ask, origins }) => {
  origins["app"]?.auto((request) => request.field("X-Signature") ?? "none");
  assert.match((await ask("/x?y", "X-Signature: forged")).text, /^[0-9a-f]{64}$/);
});

example("token", ["app"], async ({ ask, origins }) => {
  origins["app"]?.auto((request) => `${request.target} ${request.field("Authorization")}`);
  assert.equal((await ask("/")).text, "/ undefined");
  const refused = await ask("/admin/x");
  assert.deepEqual([refused.status, refused.field("WWW-Authenticate")], [401, "Bearer"]);
  assert.equal((await ask("/%61dmin", "Authorization: Bearer wrong")).status, 401);
  assert.equal((await ask("/x/..%2fadmin")).status, 400);
  assert.equal((await ask("/admin", "Authorization: Bearer let me in")).text, "/admin undefined");
});

example("maintenance", ["app"], async ({ ask, folder }) => {
  assert.equal((await ask("/")).text, "app GET /");
  for (const down of [true, false]) {
    if (down) writeFileSync(folder.file("down"), "");
    else rmSync(folder.file("down"));
    let status = 0;
    const asking = (async () => {
      while (status !== (down ? 503 : 200)) ({ status } = await ask("/"));
    })();
    await until("the page", () => status === (down ? 503 : 200));
    await asking;
  }
});

example("mirror", ["app", "shadow"], async ({ ask, origins }) => {
  let copies = 0;
  origins["shadow"]?.auto(({ target }) => {
    if (target === "/x?y") copies++;
    return "shadow";
  });
  for (let round = 0; round < 5; round++) assert.equal((await ask("/x?y")).text, "app GET /x?y");
  await until("the copies", () => copies === 5);
}, { edit: (text) => text.replace("0.05", "1") });

example("rewrite", ["app", "api"], async ({ ask }) => {
  assert.equal((await ask("/v1/users?x")).text, "api GET /legacy/users?x");
  assert.equal((await ask("/v2/users")).text, "app GET /v2/users");
});

example("auth", ["app", "auth"], async ({ ask, origins }) => {
  origins["auth"]?.auto((request) =>
    request.target === "/check" && request.field("Cookie") === "who=alice"
      ? { status: 200, fields: [["X-User", "alice"]] }
      : { status: 403 }
  );
  origins["app"]?.auto((request) => request.field("X-User") ?? "nobody");
  assert.equal((await ask("/", "Cookie: who=alice", "X-User: mallory")).text, "alice");
  assert.equal((await ask("/", "Cookie: who=bob")).status, 403);
});

example("rate_limit", ["app"], async ({ ask }) => {
  const statuses: number[] = [];
  while (!statuses.includes(429)) statuses.push((await ask("/")).status);
  assert.ok(statuses.length > 3, `${statuses}`);
  let status = 429;
  const asking = (async () => {
    while (status === 429) ({ status } = await ask("/"));
  })();
  await until("the next second", () => status === 200);
  await asking;
}, { edit: (text) => text.replace("50", "3") });

example("events", ["app"], async ({ sluice }) => {
  const client = await RawClient.connect(sluice.port);
  await client.send("GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n");
  await client.readUntil("data: 2\n\n");
  assert.match(client.transcript, /Content-Type: text\/event-stream\r\n/);
  client.destroy();
});

example("response_fields", ["app"], async ({ ask, origins }) => {
  origins["app"]?.auto(() => ({
    status: 200,
    fields: [["Server", "old/1.0"], ["X-Powered-By", "luck"]],
    body: "x",
  }));
  const answer = await ask("/");
  assert.equal(answer.field("Server"), undefined);
  assert.equal(answer.field("X-Powered-By"), undefined);
  assert.equal(answer.field("X-Frame-Options"), "DENY");
});

example("websocket_rooms", ["app", "realtime"], async ({ sluice, origins, ask }) => {
  const fields = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ];
  assert.equal((await ask("/?room=a", ...fields, "Origin: https://elsewhere.example")).status, 403);
  assert.equal((await ask("/")).text, "app GET /");
  const realtime = origins["realtime"] as ScriptedOrigin;
  realtime.auto((_, peer) => {
    void peer.send(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhi",
    );
    // A tunnel is open as long as one side is.
    void peer.readToClose().then(() => peer.destroy(), () => {});
    return null;
  });
  const client = await RawClient.connect(sluice.port);
  const lines = ["Host: a", ...fields, "Origin: https://chat.example"].map((line) => `${line}\r\n`).join("");
  await client.send(`GET /?room=a HTTP/1.1\r\n${lines}\r\n`);
  await client.readUntil("hi");
  client.destroy();
  assert.deepEqual(realtime.autoErrors, []);
});

example("dynamic_upstreams", ["app", "first", "second"], async ({ ask, folder, origins }) => {
  assert.equal((await ask("/")).text, "first GET /");
  writeFileSync(folder.file("upstreams.json"), JSON.stringify({ app: [origins["second"]?.port] }));
  let last = "";
  const asking = (async () => {
    while (last !== "second GET /") last = (await ask("/")).text;
  })();
  await until("the other endpoint", () => last === "second GET /");
  await asking;
}, { files: (origins) => ({ "upstreams.json": JSON.stringify({ app: [origins["first"]?.port] }) }) });

example("fallback", ["app", "static"], async ({ ask, origins }) => {
  assert.equal((await ask("/")).text, "app GET /");
  await origins["app"]?.close();
  let last = "";
  const asking = (async () => {
    while (last !== "static GET /sorry.html") last = (await ask("/x")).text;
  })();
  await until("the page of last resort", () => last === "static GET /sorry.html");
  await asking;
});

example("slow_log", ["app"], async ({ ask, origins, sluice }) => {
  origins["app"]?.auto(async () => {
    await new Promise((resolve) => setTimeout(resolve, 1100));
    return "late";
  });
  assert.equal((await ask("/late")).text, "late");
  await sluice.said(/slow.*\/late/);
});

test("every example is tried", () => {
  const there = readdirSync(EXAMPLES).map((name) => name.replace(/\.ts$/, ""));
  assert.deepEqual(there.sort(), [...tried].sort());
});
