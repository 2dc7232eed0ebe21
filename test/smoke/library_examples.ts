/** Runs the examples of the library as programs, on ports that are free, and uses them as their comments say. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { request as requestOverTls } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { root } from "../../scripts/support/child.ts";
import { localhostCertificate, testAuthority } from "../support/certificates.ts";
import { within } from "../support/watchdog.ts";

const folder = join(root, "examples", "library");

/** An example that runs. */
interface Running {
  /** Where it listens, in the order of its words. */
  readonly urls: readonly string[];
  /** Code and all that it printed; once it ends by itself. */
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
}

type Use = (running: Running) => Promise<void>;

async function text(url: string, init: RequestInit = {}): Promise<string> {
  const answer = await fetch(url, { ...init, redirect: "manual" });
  return `${answer.status} ${await answer.text()}`;
}

const USES: Readonly<Record<string, Use>> = {
  "hello.ts": async ({ urls: [url = ""] }) => assert.equal(await text(url), "200 hello world\n"),
  "composition.ts": async ({ urls: [url = ""] }) => {
    const paths = ["/users/1", "/users/9", "/api/x", "/else"];
    const answers = await Promise.all(paths.map((path) => text(url + path)));
    assert.deepEqual(answers, ["200 Ada", "404 ", "200 origin /api/x", "404 nothing here\n"]);
  },
  "gate.ts": async ({ ended }) => {
    const { code, output } = await ended;
    assert.equal(code, 0, output);
    assert.match(output, /generation 2, 0 requests/);
    assert.match(output, /requests are held by the program/);
  },
  "streaming.ts": async ({ urls: [url = ""] }) => {
    assert.equal(
      await text(`${url}/shout`, { method: "POST", body: "loud ".repeat(10_000) }),
      `200 ${"LOUD ".repeat(10_000)}`,
    );
    const leaving = new AbortController();
    const events = await fetch(`${url}/events`, { signal: leaving.signal });
    let heard = "";
    for await (const piece of events.body ?? []) {
      heard += new TextDecoder().decode(piece);
      if (heard.includes("data: 2\n\n")) break;
    }
    leaving.abort();
    assert.ok(heard.startsWith("data: 1\n\ndata: 2\n\n"), heard);
  },
  "several.ts": async ({ urls: [everybody = "", operators = ""] }) => {
    assert.equal(await text(`${everybody}/1`), "200 origin /1");
    assert.equal(await text(`${operators}/pause`, { method: "POST" }), "204 ");
    const held = text(`${everybody}/2`);
    const state = async () => JSON.parse((await text(`${operators}/status`)).slice(4)).upstreams[0];
    while ((await state()).waiting !== 1) await new Promise((done) => setTimeout(done, 10));
    assert.equal(await text(`${operators}/resume`, { method: "POST" }), "204 ");
    assert.equal(await held, "200 origin /2");
  },
  "tls.ts": async ({ urls: [url = ""] }) => {
    assert.equal(await overTls(url, "/", {}), "200 origin /");
    assert.match(await overTls(url, "/admin", {}), /^401 /);
    assert.equal(
      await overTls(url, "/admin/x", { Authorization: "Bearer let-me-in" }),
      "200 origin /admin/x",
    );
  },
};

function overTls(url: string, path: string, headers: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((done, failed) => {
    const asked = requestOverTls(url + path, {
      ca: testAuthority,
      servername: "localhost",
      headers,
      agent: false,
    }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (piece: string) => body += piece);
      answer.on("end", () => done(`${answer.statusCode} ${body}`));
    });
    asked.on("error", failed);
    asked.end();
  });
}

/** Each example on each runtime. @param runtimes with their arguments before the file */
export async function checkExamples(
  home: string,
  runtimes: Readonly<Record<string, readonly string[]>>,
  check: (name: string, act: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const origin = createServer((request, response) => response.end(`origin ${request.url}`));
  await new Promise<void>((done) => origin.listen(0, "127.0.0.1", done));
  const { port } = origin.address() as AddressInfo;
  const names = readdirSync(folder).filter((name) => name.endsWith(".ts")).sort();
  assert.deepEqual(names, Object.keys(USES).sort());
  writeFileSync(join(home, "cert.pem"), localhostCertificate.cert);
  writeFileSync(join(home, "key.pem"), localhostCertificate.key);
  for (const name of names) {
    copyFileSync(join(folder, name), join(home, name));
    const code = readFileSync(join(home, name), "utf8")
      .replace(/"(https:\/\/|)[\d.]+:8\d{3}"/g, '"$1127.0.0.1:0"').replaceAll(/\b8080\b/g, '"127.0.0.1:0"')
      .replaceAll(/\b3000\b/g, String(port));
    writeFileSync(join(home, name), code);
    for (const [runtime, [program = "", ...args]] of Object.entries(runtimes)) {
      await check(`library: ${name} on ${runtime}`, async () => {
        const child = spawn(program, [...args, name], { cwd: home, stdio: ["ignore", "pipe", "pipe"] });
        try {
          const running = await within(started(child), `${name} to listen`);
          await within((USES[name] as Use)(running), `${name} to do what it says`);
        } finally {
          child.kill("SIGKILL");
        }
      });
    }
  }
  origin.closeAllConnections();
  origin.close();
}

async function started(child: ChildProcess): Promise<Running> {
  let output = "";
  let listening: (urls: readonly string[]) => void = () => {};
  const heard = (bytes: unknown) => {
    output += String(bytes);
    const [, words] = /^listening on (.*)$/m.exec(output) ?? [];
    if (words === undefined) return;
    const all = words.match(/(?:https:\/\/)?[\d.]+:\d+/g) ?? [];
    listening(
      all.map((each) => (each.startsWith("https") ? each : `http://${each}`).replace("0.0.0.0", "127.0.0.1")),
    );
  };
  child.stdout?.on("data", heard);
  child.stderr?.on("data", (bytes) => output += String(bytes));
  const ended = new Promise<{ code: number | null; output: string }>((done) => {
    child.on("close", (code) => done({ code, output }));
  });
  const urls = new Promise<readonly string[]>((done) => (listening = done));
  const early = ended.then(({ code }) => Promise.reject(new Error(`ended with code ${code}:\n${output}`)));
  early.catch(() => {});
  return { urls: await Promise.race([urls, early]), ended };
}
