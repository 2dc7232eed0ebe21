import assert from "node:assert/strict";
import * as fs from "node:fs";
import { createServer, type Socket } from "node:net";
import * as path from "node:path";
import { test } from "node:test";
import type { RefusalCode } from "../../../../src/control/plane.ts";
import { REFUSALS } from "../../../../src/admin/refusal_table.ts";
import { VERB_COMMANDS } from "../../../../src/cli/verb_commands.ts";
import { statusText } from "../../../../src/cli/verbs/status_text.ts";
import { sampleStatus } from "../../../support/fake_plane.ts";
import { type VerbLab, VerbLab as Lab } from "../../../support/verb_lab.ts";
import { within } from "../../../support/watchdog.ts";

/** Without Unix sockets the fakes below could not listen where verbs look. */
const withoutUnix = process.platform === "win32";

/** Each verb with what it needs, what it asks the plane, and what it prints. */
const CALLS: readonly (readonly [args: string[], asked: unknown[] | null, stdout: RegExp])[] = [
  [["status"], ["status"], /^sluice 1\.2\.3 on bun, process 4711: serving for 1h/],
  [["pause"], ["pause", null, 0, null], /^paused all upstreams: 0 in flight, 2 waiting\n$/],
  [
    ["pause", "app", "--wait-idle", "3s", "--lease", "1m"],
    ["pause", "app", 3000, 60_000],
    /^paused app, for at most 1m: 0 in flight/,
  ],
  [["resume", "app"], ["resume", "app"], /^resumed app: 1 in flight, 2 waiting\n$/],
  [["drain", "3000"], ["drain", "127.0.0.1:3000", null, 30_000, false], /^draining 3000: 3 in flight\n$/],
  [
    ["drain", "a:1", "--upstream", "app", "--window", "5s", "--wait"],
    ["drain", "a:1", "app", 5000, true],
    /^drained a:1: 3 in flight\n$/,
  ],
  [["undrain", "a:1"], ["undrain", "a:1", null], /^a:1 gets requests again\n$/],
  [
    ["swap", "--to", "3001,3002", "--to", "a:3"],
    ["swap", null, ["3001", "3002", "a:3"], null, 30_000, 30_000],
    /^swapped the endpoints: 3001, 3002, a:3 instead of 127\.0\.0\.1:3000 \(generation 2\)\n$/,
  ],
  [
    ["swap", "app", "--to", "3001", "--health", "/up", "--timeout", "2s", "--drain", "1s"],
    ["swap", "app", ["3001"], { path: "/up", host: null }, 2000, 1000],
    /^swapped app: 3001/,
  ],
  [
    ["swap", "app", "--to", "3001", "--health", "/up", "--health-host", "www.example.com"],
    ["swap", "app", ["3001"], { path: "/up", host: "www.example.com" }, 30_000, 30_000],
    /^swapped app: 3001/,
  ],
  [["wait", "app", "--healthy"], ["wait", "app", "healthy", 30_000], /^app: healthy\n$/],
  [["wait", "--idle", "--timeout", "1s"], ["wait", null, "idle", 1000], /^all upstreams: idle\n$/],
  [
    ["reload"],
    ["reload"],
    /^reloaded \(generation 2\):\n {2}hold: 1s\n {2}only at the next start: workers: 2\n$/,
  ],
  [["restart", "app"], ["restart", "app", 60_000], /^restarted: process 7\n$/],
  [["upgrade", "./new"], ["upgrade", "./new", 60_000], /^upgraded: process 8 serves\n$/],
  [["reopen"], ["reopenLogs"], /^log files opened anew\n$/],
  [
    ["explain", "--url", "/x", "-H", "A: b", "-H", "C: d", "--method", "PUT", "--chunked", "--json"],
    ["explain", { method: "PUT", url: "/x", headers: ["A: b", "C: d"], body_bytes: null }],
    /^\{"x":1\}\n$/,
  ],
  [
    ["explain", "--method", "CONNECT", "--url", "a.test:443", "--user", "alice", "--resolve", "--json"],
    ["explain", {
      method: "CONNECT",
      url: "a.test:443",
      headers: [],
      body_bytes: 0,
      user: "alice",
      resolve: true,
    }],
    /^\{"x":1\}\n$/,
  ],
];

test("every verb asks for what its words say, and prints the answer only", () =>
  Lab.use(async (lab) => {
    await lab.open(8080);
    for (const [args, asked, stdout] of CALLS) {
      lab.plane.asked.length = 0;
      const outcome = await lab.sluice(...args);
      assert.deepEqual([outcome.code, outcome.stderr], [0, ""], args.join(" "));
      assert.match(outcome.stdout, stdout);
      assert.deepEqual(lab.plane.asked, [asked]);
    }
  }));

test("with --json every verb prints one object", () =>
  Lab.use(async (lab) => {
    await lab.open(8080);
    for (const [args] of CALLS) {
      const { stdout } = await lab.sluice(...args, ...(args.includes("--json") ? [] : ["--json"]));
      assert.match(stdout, /^\{.*\}\n$/, args.join(" "));
      assert.equal(typeof JSON.parse(stdout), "object");
    }
  }));

test("refusals have the exit code of the table, and say why on standard error", () =>
  Lab.use(async (lab) => {
    await lab.open(8080);
    const exits: Record<RefusalCode, number> = {
      unknown_name: 2,
      ambiguous_name: 2,
      invalid: 2,
      not_possible: 1,
      unhealthy: 1,
      timeout: 4,
      busy: 1,
      replaced: 1,
      failed: 1,
    };
    for (const code of Object.keys(REFUSALS) as RefusalCode[]) {
      lab.plane.answers.reload = {
        ok: false,
        code,
        message: "There is app.",
        problems: ["one", "two\x1b[2J"],
      };
      const plain = await lab.sluice("reload");
      assert.equal(plain.code, exits[code], code);
      assert.equal(plain.stdout, "");
      assert.equal(plain.stderr, "sluice reload: There is app.\n  one\n  two [2J\n");
      const json = await lab.sluice("reload", "--json");
      assert.equal(json.code, exits[code]);
      assert.deepEqual(JSON.parse(json.stdout), {
        error: code,
        message: "There is app.",
        problems: ["one", "two [2J"],
      });
    }
  }));

test("a process that has been replaced is not asked again, the one in its place is", () =>
  Lab.use(async (lab) => {
    await lab.open(8080);
    lab.plane.answers.reload = { ok: false, code: "replaced", message: "Process 7 serves." };
    const reload = lab.plane.reload.bind(lab.plane);
    let times = 0;
    lab.plane.reload = () => {
      if (++times === 2) delete lab.plane.answers.reload;
      return reload();
    };
    assert.equal((await lab.sluice("reload")).code, 0);
    assert.equal(times, 2);
  }));

test("wrong words are exit code 2, and nothing is asked, whether a Sluice runs or not", () =>
  Lab.use(async (lab) => {
    const cases: readonly (readonly [string[], RegExp])[] = [
      [["drain"], /needs ENDPOINT/],
      [["drain", "a", "b"], /unexpected argument: b/],
      [["status", "app"], /unexpected argument: app/],
      [["swap"], /--to ADDRESS is missing/],
      [
        ["swap", "--to", "1", "--health-host", "a"],
        /--health-host HOST is for --health PATH, which is missing/,
      ],
      [["wait"], /one of --healthy and --idle/],
      [["wait", "--healthy", "--idle"], /one of --healthy and --idle/],
      [["pause", "--lease", "5"], /--lease: needs a unit.*did you mean 5s/],
      [["pause", "--lease", "0"], /--lease: must be more than 0/],
      [["pause", "--wait-idel", "5s"], /did you mean --wait-idle/],
      [["status", "--timeout", "soon"], /--timeout: must be a duration/],
      [["top", "--interval", "1ms"], /--interval: must be at least 100ms/],
      [["status", "--timeout", "0"], /--timeout: must be more than 0/],
      [["status", "--names", "routes"], /--names: must be/],
      [["watch", "--until", "endpoint_dwn"], /did you mean endpoint_down/],
      [["with-pause", "app"], /-- COMMAND is missing/],
      [["with-pause", "app", "--"], /-- COMMAND is missing/],
      [["explain"], /--url is missing/],
      [["explain", "--url", "/", "--body-bytes", "many"], /--body-bytes/],
      [["explain", "--url", "/", "--body-bytes", "1", "--chunked"], /one of/],
      [["status", "--json", "--json"], /given 2 times/],
      [["status", "--hold", "1s"], /--hold: not a flag of "sluice status"/],
      [["status", "--control", "off"], /off has no control socket/],
      [["status", "--listen", "unix:/x"], /give --control/],
      [["completions", "tcsh"], /there are bash, zsh, fish/],
      [["completions"], /needs bash\|zsh\|fish/],
    ];
    for (const running of [false, true]) {
      if (running) await lab.open(8080);
      for (const [args, stderr] of cases) {
        const outcome = await lab.sluice(...args);
        assert.equal(outcome.code, 2, args.join(" "));
        assert.match(outcome.stderr, stderr);
        assert.equal(outcome.stdout.replace(/^\{.*\}\n$/, ""), "");
      }
    }
    assert.deepEqual(lab.plane.asked, []);
  }));

test("without a running Sluice every verb exits with 1 and a hint", () =>
  Lab.use(async (lab) => {
    for (const { name } of VERB_COMMANDS) {
      const args = [
        ...(name === "drain" || name === "undrain" ? ["a"] : []),
        ...(name === "swap" ? ["--to", "1"] : []),
        ...(name === "wait" ? ["--idle"] : []),
        ...(name === "explain" ? ["--url", "/"] : []),
        ...(name === "with-pause" ? ["--", "true"] : []),
      ];
      for (const where of [["--listen", "59999"], ["--control", path.join(lab.folder, "none.sock")]]) {
        const outcome = await lab.sluice(name, ...where, ...args);
        assert.equal(outcome.code, 1, name);
        assert.match(outcome.stderr, /--control PATH/);
        assert.equal(outcome.stdout, "");
      }
    }
  }));

/** A control socket at which something else answers. */
async function withFake(
  lab: VerbLab,
  behave: (socket: Socket) => void,
  use: (path: string) => Promise<void>,
) {
  const at = path.join(lab.folder, "fake.sock");
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy());
    behave(socket);
  });
  await new Promise<void>((resolve) => server.listen(at, resolve));
  try {
    await use(at);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

test("a control socket that answers garbage, closes early, or never answers", async () => {
  if (withoutUnix) return;
  await Lab.use(async (lab) => {
    const verbs: readonly string[][] = [
      ["status"],
      ["pause"],
      ["stop"],
      ["watch"],
      ["reload", "--json"],
      ["with-pause", "--", "true"],
    ];
    const say = (text: string) => (socket: Socket) => void socket.once("data", () => socket.end(text));
    const http = (body: string, status = "200 OK") =>
      say(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const answers: readonly (readonly [(socket: Socket) => void, RegExp])[] = [
      [say("SSH-2.0-OpenSSH_9.2\r\n"), /is no Sluice/],
      [say(""), /has Sluice just ended|is no Sluice/],
      [say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"), /has Sluice just ended|ended/],
      [http("<html>", "502 Bad Gateway"), /is no Sluice/],
      [http("[1]", "404 Not Found"), /is no Sluice/],
      [http('{"error": 5}', "500 Oops"), /is no Sluice/],
      [(socket) => void socket.destroy(), /has Sluice just ended|reset|closed/],
    ];
    for (const [behave, stderr] of answers) {
      await withFake(lab, behave, async (at) => {
        for (const verb of verbs) {
          const outcome = await lab.sluice(verb[0] ?? "", "--control", at, ...verb.slice(1));
          assert.equal(outcome.code, 1, verb.join(" "));
          assert.match(outcome.stderr, stderr, verb.join(" "));
        }
      });
    }
    await withFake(lab, http('{"upstreams": 5}'), async (at) => {
      const outcome = await lab.sluice("status", "--control", at);
      assert.deepEqual([outcome.code, outcome.stdout], [1, ""]);
      assert.match(outcome.stderr, /cannot be read/);
    });
    await withFake(lab, (socket) => void socket.resume(), async (at) => {
      for (const verb of [["status"], ["pause"], ["stop"], ["reload"], ["watch", "--until", "held"]]) {
        const [name = "", ...more] = verb;
        const outcome = await lab.sluice(name, "--control", at, "--timeout", "50ms", ...more);
        assert.equal(outcome.code, 4, name);
        assert.match(outcome.stderr, /50 ms|in time/);
      }
    });
  });
});

test("several Sluices: the verb says which there are, and finds one by its port", () =>
  Lab.use(async (lab) => {
    const first = await lab.open(8080);
    const second = await lab.open(9090);
    const outcome = await lab.sluice("status");
    assert.equal(outcome.code, 2);
    assert.match(outcome.stderr, /several Sluices are running/);
    assert.ok(outcome.stderr.includes(first) && outcome.stderr.includes(second));
    for (const where of [["--listen", ":9090"], ["--listen", "9090"], ["--control", second]]) {
      assert.equal((await lab.sluice("status", ...where)).code, 0);
    }
    lab.env = { ...lab.env, SLUICE_LISTEN: "127.0.0.1:8080" };
    assert.equal((await lab.sluice("status")).code, 0);
    lab.env = { ...lab.env, SLUICE_CONTROL: path.join(lab.folder, "none") };
    assert.equal((await lab.sluice("status")).code, 1);
    assert.equal(
      (await lab.sluice("status", "--control", first)).code,
      0,
      "a flag wins over the environment",
    );
  }));

test("a path that is no control socket", () =>
  Lab.use(async (lab) => {
    const file = path.join(lab.folder, "notes.txt");
    fs.writeFileSync(file, "hello\n");
    for (const at of [file, lab.folder]) {
      const outcome = await lab.sluice("status", "--control", at);
      assert.equal(outcome.code, 1);
      assert.match(outcome.stderr, /is no control socket/);
    }
  }));

test("watch prints events until the one that was asked for", () =>
  Lab.use(async (lab) => {
    await lab.open(8080);
    const verb = lab.start("watch", "--until", "drained,endpoint_up");
    await within(lab.plane.watched, "a watcher");
    const time = "2026-01-01T00:00:00.000Z";
    const down = { event: "held", time, upstream: "app", waiting: 1 } as const;
    const up = {
      event: "endpoint_up",
      time,
      upstream: "app",
      endpoint: "a:1",
      down_ms: 5,
      away_ms: 5,
    } as const;
    lab.plane.tell(down);
    lab.plane.tell(up);
    const outcome = await verb.done;
    assert.equal(outcome.code, 0);
    assert.deepEqual(outcome.stdout.trim().split("\n").map((line) => JSON.parse(line)), [down, up]);
  }));

test("watch --until takes the log's former words as well", () =>
  Lab.use(async (lab) => {
    await lab.open(8080);
    const verb = lab.start("watch", "--until", "endpoint_back");
    await within(lab.plane.watched, "a watcher");
    const time = "2026-01-01T00:00:00.000Z";
    lab.plane.tell({ event: "endpoint_up", time, upstream: "app", endpoint: "a:1", down_ms: 5, away_ms: 5 });
    assert.equal((await verb.done).code, 0);
  }));

test("watch ends with --timeout: 0 without --until, 4 with it", () =>
  Lab.use(async (lab) => {
    await lab.open(8080);
    assert.equal((await lab.sluice("watch", "--timeout", "100ms")).code, 0);
    const until = await lab.sluice("watch", "--timeout", "100ms", "--until", "held");
    assert.deepEqual([until.code, until.stdout], [4, ""]);
    assert.match(until.stderr, /held: has not happened in time/);
  }));

test("resume says who still holds requests", () =>
  Lab.use(async (lab) => {
    await lab.open(8080);
    const held = {
      upstream: "app",
      owner: "with_pause",
      since: "2026-01-01T00:59:55.000Z",
      lease_until: null,
    };
    lab.plane.answers.resume = {
      ok: true,
      in_flight: 0,
      waiting: 2,
      ended: 0,
      still_paused: [held, { ...held, owner: "upgrade" }, { ...held, upstream: "api" }],
    } as { ok: true };
    const outcome = await lab.sluice("resume");
    const words = "app is still paused by with-pause and an upgrade, api by with-pause";
    assert.equal(outcome.stdout, `resumed all upstreams: 0 in flight, 2 waiting\n${words}\n`);
    const { stdout } = await lab.sluice("resume", "--json");
    assert.deepEqual(JSON.parse(stdout).still_paused[0], held);
  }));

test("with-pause holds as an owner of its own, and does not hide that its pause was lost", () =>
  Lab.use(async (lab) => {
    if (!lab.runtime.capabilities.commands) return;
    await lab.open(8080);
    const command = ["--", process.execPath, "--version"];
    const kept = await lab.sluice("with-pause", "app", ...command);
    assert.deepEqual([kept.code, kept.stderr], [0, ""]);
    const [pause, ...others] = lab.plane.asked;
    assert.deepEqual(pause, ["pause", "app", 0, 10_000, "with_pause"]);
    assert.deepEqual(others.at(-1), ["resume", "app", "t1"]);
    lab.plane.answers.resume = { ok: true, in_flight: 0, waiting: 0, ended: 0, still_paused: [] } as {
      ok: true;
    };
    const lost = await lab.sluice("with-pause", "app", ...command);
    assert.equal(lost.code, 1);
    assert.match(lost.stderr, /the pause was lost while the command ran/);
    // One that did not become idle has ended by itself.
    lab.plane.asked.length = 0;
    lab.plane.answers.pause = { ok: false, code: "timeout", message: "Still in flight." };
    const late = await lab.sluice("with-pause", "app", "--wait-idle", "1ms", ...command);
    assert.equal(late.code, 4);
    assert.deepEqual(lab.plane.asked.map(([verb]) => verb), ["pause"]);
  }));

test("stop returns when the connection breaks, which is when the process is gone", () =>
  Lab.use(async (lab) => {
    await lab.open(8080);
    const late = await lab.sluice("stop", "--timeout", "200ms");
    assert.equal(late.code, 4);
    assert.match(late.stderr, /still there after --timeout \(4 connections/);
    assert.deepEqual(lab.plane.asked, [["stop", false]]);
    lab.plane.answers.stop = { ok: false, code: "busy", message: "It is being upgraded." };
    const refused = await lab.sluice("stop", "--now");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /It is being upgraded/);
  }));

test("the names that completions need", () =>
  Lab.use(async (lab) => {
    await lab.open(8080);
    assert.equal((await lab.sluice("status", "--names", "upstreams")).stdout, "app\n");
    const endpoints = await lab.sluice("status", "--names", "endpoints");
    assert.equal(endpoints.stdout, "127.0.0.1:3000\n127.0.0.1:3001\n");
  }));

test("the status on one screen", () => {
  assert.equal(
    statusText(sampleStatus()),
    `sluice 1.2.3 on bun, process 4711: serving for 1h, generation 1
listening on 0.0.0.0:8080
2 connections, 10 requests, 1 failed, 50 MiB

upstream app: paused, 1 in flight, 2 of 100 wait, the oldest for 1s
  paused by an operator for 10s, at most 50s more
  paused by with-pause for 5s, at most 5s more
  endpoint        state  since  in flight          idle  answered  failures  last error
  127.0.0.1:3000  up     1h           1/4  3 + 2 pinned         9         0
  127.0.0.1:3001  down   30m          0/4             0         0        12  connection_refused, 1s ago

failures: hold_timeout 1
  2m ago  hold_timeout  503  GET /x  app 127.0.0.1:3001  connection_refused
`,
  );
});
