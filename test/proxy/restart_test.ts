/** A backend process that is killed and restarted under load: what may be repeated is, the rest says why. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { expectedAnswer } from "../support/away_backend.ts";
import type { ReadResponse } from "../support/http_reader.ts";
import { TestProxy } from "../support/proxy.ts";
import { RawClient } from "../support/raw_client.ts";
import { within } from "../support/watchdog.ts";

const PROGRAM = fileURLToPath(new URL("../support/origin_program.ts", import.meta.url));
const KILLS = 4;
const ALLOWED = /^sluice; error=(not_idempotent|body_not_replayable)(;|$)/;

class OriginProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  static async start(port: number): Promise<OriginProcess> {
    const deno = "Deno" in globalThis;
    const args = deno ? ["run", "-A", "--no-check", "--quiet", PROGRAM] : [PROGRAM];
    const child = spawn(process.execPath, [...args, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    const listening = new Promise<number>((resolve, reject) => {
      child.stdout?.on("data", (bytes) => {
        said += String(bytes);
        if (said.includes("\n")) resolve(Number(said));
      });
      child.on("exit", () => reject(new Error("the backend ended by itself")));
    });
    return new OriginProcess(child, await within(listening, "the backend to listen"));
  }

  async kill(): Promise<void> {
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.kill("SIGKILL");
    await within(gone, "the backend to die");
  }
}

test("a backend killed and restarted under load: every GET succeeds, every POST that fails says why", async () => {
  let origin = await OriginProcess.start(0);
  const { port } = origin;
  const proxy = await TestProxy.start(`to: 127.0.0.1:${port}`);
  let running = true;
  let answered = 0;
  let refused = 0;
  const body = new Uint8Array(100_000).fill(0x61);

  const client = async (number: number): Promise<void> => {
    const method = number % 3 === 0 ? "POST" : "GET";
    const bytes = method === "GET" ? new Uint8Array(0) : body.subarray(0, number % 2 === 0 ? 1000 : 100_000);
    const length = method === "GET" ? "" : `Content-Length: ${bytes.length}\r\n`;
    let connection: RawClient | null = null;
    for (let i = 0; running; i++) {
      const target = `/${number}/${i}`;
      connection ??= await RawClient.connect(proxy.port);
      connection.record = false;
      const sent = Promise.all([
        connection.send(`${method} ${target} HTTP/1.1\r\nHost: a\r\n${length}\r\n`),
        connection.send(bytes),
      ]).catch(() => {});
      const response: ReadResponse = await connection.readResponse({ method });
      await sent;
      if (response.status === 200) {
        assert.equal(response.text, expectedAnswer(method, target, bytes));
        answered++;
      } else {
        assert.equal(method, "POST", `${method} ${response.status} ${response.field("Proxy-Status")}`);
        assert.equal(response.status, 502);
        assert.match(response.field("Proxy-Status") ?? "", ALLOWED);
        refused++;
      }
      if (number % 4 === 0 || response.field("Connection") === "close") {
        connection.destroy();
        connection = null;
      }
    }
    connection?.destroy();
  };

  try {
    const clients = Promise.all(Array.from({ length: 9 }, (_, number) => client(number)));
    // A failure of a client is seen at once, not after the last kill.
    const steps = (async () => {
      for (let kill = 0; kill < KILLS; kill++) {
        const before = answered;
        await proxy.until("fifty answers", () => answered >= before + 50);
        await origin.kill();
        await proxy.until("requests to be held", () => proxy.upstream().waiting >= 5);
        origin = await OriginProcess.start(port);
      }
      const before = answered;
      await proxy.until("answers again", () => answered >= before + 50);
    })();
    await Promise.race([steps, clients]);
    running = false;
    await within(clients, "the clients to end");
    assert.ok(refused <= KILLS * 9, `${refused} refused`);
    assert.equal(proxy.upstream().waiting, 0);
    assert.equal(proxy.upstream().inFlight, 0);
  } finally {
    running = false;
    await proxy.stop();
    await origin.kill();
  }
});
