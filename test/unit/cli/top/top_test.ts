import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { run } from "../../../../src/cli/run.ts";
import { sorted, topSample } from "../../../../src/cli/top/rows.ts";
import { drawTop, type TopPicture, type TopStyle, type TopView } from "../../../../src/cli/top/screen.ts";
import { MemoryTerminal } from "../../../support/memory_system.ts";
import {
  endpointStatus,
  forwardStatus,
  histogram,
  sampleStatus,
  totals,
  upstreamStatus,
} from "../../../support/sample_status.ts";
import { VerbLab } from "../../../support/verb_lab.ts";
import { turn, within } from "../../../support/watchdog.ts";

const PLAIN: TopStyle = { columns: 80, rows: 24, colour: false, unicode: true };
const VIEW: TopView = { sort: "name", reversed: false, endpoints: true, from: 0 };

function statusAt(seconds: number) {
  return sampleStatus({
    uptime_ms: seconds * 1000,
    totals: totals(seconds * 30),
    upstreams: [
      upstreamStatus("app", {
        totals: { ...totals(seconds * 20), failed: seconds },
        in_flight: 3,
        waiting: 12,
        oldest_wait_ms: 1400,
        endpoints: [
          endpointStatus("127.0.0.1:3000", {
            answered: seconds * 20,
            first_byte: histogram(seconds * 20),
            in_flight: 3,
            max_in_flight: 8,
          }),
          endpointStatus("127.0.0.1:3001", {
            state: "down",
            last_error: { code: "connection_refused", detail: "", at: "2026-01-02T03:04:05.000Z" },
          }),
        ],
      }),
      upstreamStatus("api", { totals: totals(seconds * 10), state: "paused" }),
    ],
  });
}

function pictureOf(view: Partial<TopView> = {}, trouble = ""): TopPicture {
  const [before, status] = [statusAt(10), statusAt(12)];
  return {
    status,
    sample: topSample(before, status),
    view: { ...VIEW, ...view },
    rates: () => [1, 2, 4],
    trouble,
  };
}

test("top: a sample has the rates between two statuses", () => {
  const { sample } = pictureOf();
  assert.equal(sample.interval_ms, 2000);
  assert.equal(sample.requests_per_second, 30);
  assert.equal(sample.waiting, 12);
  const [app, api] = sample.upstreams;
  assert.deepEqual([app?.requests_per_second, app?.failed_per_second, api?.requests_per_second], [20, 1, 10]);
  assert.equal(app?.endpoints[0]?.answered_per_second, 20);
  assert.equal(app?.endpoints[1]?.last_error, "connection_refused");
  assert.equal(topSample(null, statusAt(10)).requests_per_second, 30, "alone: since the start");
});

test("top: the picture fills terminals of every size, and no line is wider", () => {
  for (const columns of [1, 20, 60, 80, 100, 140, 300]) {
    for (const rows of [1, 5, 8, 24, 40]) {
      for (const unicode of [true, false]) {
        const lines = drawTop(pictureOf(), { columns, rows, colour: false, unicode });
        assert.equal(lines.length, rows, `${columns} x ${rows}`);
        for (const line of lines) {
          assert.ok(line.length <= columns, `${columns}: ${line}`);
          if (!unicode) assert.match(line, /^[ -~]*$/);
        }
      }
    }
  }
});

test("top: what is seen at 80 by 24", () => {
  const text = drawTop(pictureOf(), PLAIN).map((line) => line.trimEnd()).join("\n");
  assert.match(text, /^sluice 1\.2\.3 {2}serving {2}up 12 s {2}generation 3/);
  assert.match(text, /\n30 requests\/s .* 0 failed\/s\n3 in flight {2}12 waiting {2}12 connections/);
  assert.match(text, /\nUPSTREAM↓ +STATE +REQ\/S FAIL\/S +P99 +FLIGHT +WAIT +OLDEST\napi +paused +10 /);
  assert.match(text, /\napp +up +20 +1 .* 3 +12 +1\.4 s\n {2}127\.0\.0\.1:3000 +up +20 .* 3\/8\n/);
  assert.match(text, /\nq quit .* e hide endpoints$/);
});

test("top: the forward proxy has a line where there is one, on terminals of every size", () => {
  const sums = { http_request_denied: 4, destination_ip_prohibited: 2, proxy_loop_detected: 0 };
  const before = { ...statusAt(10), forward: forwardStatus({ totals: totals(90) }) };
  const status = { ...statusAt(12), forward: forwardStatus({ totals: totals(100), denied: sums }) };
  const picture = { ...pictureOf(), status, sample: topSample(before, status) };
  assert.match(
    drawTop(picture, PLAIN).join("\n"),
    /\nforward proxy {2}5 requests\/s {2}1 denied\/s {2}3\/768 tunnels {2}5 destinations {2}7 idle/,
  );
  assert.doesNotMatch(drawTop(pictureOf(), PLAIN).join("\n"), /forward/);
  for (const columns of [1, 20, 60]) {
    for (const rows of [1, 5, 8]) {
      const lines = drawTop(picture, { ...PLAIN, columns, rows });
      assert.equal(lines.length, rows);
      for (const line of lines) assert.ok(line.length <= columns, line);
    }
  }
});

test("top: wider terminals show more", () => {
  const lines = drawTop(pictureOf(), { ...PLAIN, columns: 140 });
  const text = lines.join("\n");
  assert.match(text, /P50 +P90 +P99/);
  assert.ok(text.includes("▂▄█"), "the curve of the rate");
  assert.ok(text.includes("connection_refused"));
});

test("top: colours change no text", () => {
  const plain = drawTop(pictureOf(), PLAIN);
  const coloured = drawTop(pictureOf(), { ...PLAIN, colour: true });
  // deno-lint-ignore no-control-regex -- the codes of colours
  assert.deepEqual(coloured.map((line) => line.replace(/\x1b\[[0-9;]*m/g, "")), plain);
  assert.ok(coloured.join("").includes("\x1b[31;1mdown"));
});

test("top: names from outside cannot steer the terminal", () => {
  const status = { ...statusAt(12), upstreams: [upstreamStatus("a\x1b[2Jb\x07")], listeners: ["\x1b]0;x"] };
  const picture = { ...pictureOf(), status, sample: topSample(null, status) };
  for (const line of drawTop({ ...picture, trouble: "\x1b[1m" }, PLAIN)) {
    // deno-lint-ignore no-control-regex -- control characters are what must not be there
    assert.doesNotMatch(line, /[\x00-\x1f]/);
  }
});

test("top: orders, and the other way round", () => {
  const { upstreams } = pictureOf().sample;
  const names = (key: Parameters<typeof sorted>[1], reversed = false) =>
    sorted(upstreams, key, reversed).map(({ name }) => name).join(" ");
  assert.deepEqual([names("name"), names("name", true)], ["api app", "app api"]);
  assert.deepEqual([names("rate"), names("rate", true)], ["app api", "api app"]);
  assert.deepEqual([names("waiting"), names("failed")], ["app api", "app api"]);
});

test("top: a long list is scrolled, and says where it is", () => {
  const status = {
    ...statusAt(12),
    upstreams: Array.from({ length: 50 }, (_, at) => upstreamStatus(`u${String(at).padStart(2, "0")}`)),
  };
  const picture = { ...pictureOf({ endpoints: false, from: 10 }), status, sample: topSample(null, status) };
  const lines = drawTop(picture, PLAIN);
  assert.match(lines[5] ?? "", /^u10 /);
  assert.match(lines.at(-1) ?? "", /11–28 of 50/);
  const beyond = drawTop({ ...picture, view: { ...picture.view, from: 1000 } }, PLAIN);
  assert.match(beyond.at(-2) ?? "", /^u49 /);
});

async function withTop(
  args: readonly string[],
  use: (lab: Lab, terminal: MemoryTerminal, done: Promise<number>) => Promise<void>,
): Promise<void> {
  await VerbLab.use(async (lab) => {
    const path = await lab.open(8080);
    const opened = Promise.withResolvers<MemoryTerminal>();
    const signals = new Map<string, () => void>();
    const system = lab.system({
      args: ["top", "--control", path, "--interval", "100ms", ...args],
      env: { ...lab.env, LANG: "C.UTF-8" },
      onSignal: (name, handler) => void signals.set(name, handler),
      openTerminal: (leave, events) => {
        const terminal = new MemoryTerminal(leave, events);
        opened.resolve(terminal);
        return terminal;
      },
    });
    const done = run(lab.runtime, system, () => Promise.resolve(0));
    const terminal = await within(opened.promise, "the terminal to be opened");
    await use({ lab, path, signal: (name) => signals.get(name)?.() }, terminal, done);
    assert.equal(await within(done, "top to end"), 0);
    assert.ok(terminal.closed);
    assert.equal(terminal.written.split("\x1b[?1049h").length, 2, "entered once");
    assert.ok(terminal.written.endsWith("\x1b[?1049l"), "nothing is written after it was given back");
  });
}

interface Lab {
  readonly lab: VerbLab;
  /** Of the control socket. */
  readonly path: string;
  signal(name: string): void;
}

/** The last picture without its codes, by lines. */
function screenOf(terminal: MemoryTerminal): string[] {
  const last = terminal.written.split("\x1b[H").at(-1)?.split("\x1b[J")[0] ?? "";
  // deno-lint-ignore no-control-regex -- the codes of the terminal
  return last.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "").split("\r\n");
}

test("top: lives on a terminal, follows its size and its keys, and gives it back", () =>
  withTop([], async ({ lab }, terminal) => {
    assert.equal(screenOf(terminal).length, 24);
    assert.match(screenOf(terminal)[0] ?? "", /^sluice 1\.2\.3 {2}serving/);
    const asked = lab.plane.asked.length;
    terminal.press("r");
    assert.match(screenOf(terminal).join("\n"), /REQ\/S↓/);
    terminal.press("r");
    assert.match(screenOf(terminal).join("\n"), /REQ\/S↑/);
    terminal.resize(60, 9);
    assert.equal(screenOf(terminal).length, 9);
    for (const line of screenOf(terminal)) assert.ok(line.length <= 60);
    terminal.resize(120, 30);
    for (const key of ["x", "\x1b[B", "\x1b[A", "e", " "]) terminal.press(key);
    assert.match(screenOf(terminal).at(-1) ?? "", /show/);
    const more = async () => {
      while (lab.plane.asked.length < asked + 2) await turn();
    };
    await within(more(), "two more samples");
    terminal.press("q");
  }));

for (const end of ["\x03", "\x1b"]) {
  test(`top: ends at ${JSON.stringify(end)}`, () =>
    withTop([], async (_lab, terminal) => {
      terminal.press(end);
    }));
}

for (const name of ["SIGTERM", "SIGINT", "SIGHUP"]) {
  test(`top: ${name} gives the terminal back`, () =>
    withTop([], async ({ signal }) => {
      signal(name);
    }));
}

test("top: a Sluice that has gone is said, and asked again", () =>
  withTop([], async ({ path }, terminal) => {
    fs.unlinkSync(path);
    const told = async () => {
      while (!/asking again/.test(screenOf(terminal).at(-1) ?? "")) await turn();
    };
    await within(told(), "the trouble to be told");
    terminal.press("q");
  }));

test("top: one sample where there is no terminal, or with --once or --json", () =>
  VerbLab.use(async (lab) => {
    const top = ["top", "--control", await lab.open(8080), "--interval"];
    for (const args of [[], ["--once"]]) {
      const { code, stdout, stderr } = await lab.sluice(...top, "100ms", ...args);
      assert.deepEqual([code, stderr], [0, ""]);
      // deno-lint-ignore no-control-regex -- the codes of the terminal
      assert.doesNotMatch(stdout, /\x1b/);
      assert.match(stdout, /^sluice 1\.2\.3 {2}serving.*\n.* requests\/s /);
    }
    const { code, stdout } = await lab.sluice(...top, "100ms", "--json");
    assert.equal(code, 0);
    assert.equal(typeof JSON.parse(stdout).requests_per_second, "number");
    const wrong = await lab.sluice(...top, "1ms");
    assert.equal(wrong.code, 2);
  }));

test("top: one sample on a terminal that knows no commands (TERM=dumb)", () =>
  VerbLab.use(async (lab) => {
    const system = lab.system({
      args: ["top", "--control", await lab.open(8080), "--interval", "100ms"],
      env: { ...lab.env, TERM: "dumb" },
      writeDescriptor: () => {},
      openTerminal: () => assert.fail("it is taken for a screen"),
    });
    const done = run(lab.runtime, system, () => Promise.resolve(0));
    assert.equal(await within(done, "top to end"), 0);
  }));
