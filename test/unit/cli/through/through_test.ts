import assert from "node:assert/strict";
import { test } from "node:test";
import type { Address } from "../../../../runtime/contract/contract.ts";
import { run } from "../../../../src/cli/run.ts";
import type { Serve } from "../../../../src/cli/serve.ts";
import type { Config } from "../../../../src/config/values/config.ts";
import { newExchangeRecord } from "../../../../src/exchange/exchange_record.ts";
import { localhostCertificate as certificate } from "../../../support/certificates.ts";
import type { MemoryCommand } from "../../../support/memory_command.ts";
import { createMemoryRuntime } from "../../../support/memory_runtime.ts";
import { MemorySystem, type MemorySystemOptions } from "../../../support/memory_system.ts";
import { within } from "../../../support/watchdog.ts";

type Hooks = NonNullable<Parameters<Serve>[3]>;

/** A run of `sluice` with a server that does nothing by itself. */
class Scene {
  readonly system: MemorySystem;
  readonly code: Promise<number>;
  readonly #serving = Promise.withResolvers<{ readonly config: Config; readonly hooks: Hooks }>();
  readonly #served = Promise.withResolvers<number>();

  constructor(args: readonly string[], options: MemorySystemOptions = {}) {
    this.system = new MemorySystem({ ...options, args });
    const serve: Serve = (_runtime, _system, config, hooks = {}) => {
      void hooks.until?.then(() => this.end(0));
      this.#serving.resolve({ config, hooks });
      return this.#served.promise;
    };
    this.code = within(run(createMemoryRuntime(), this.system, serve), "the end of sluice");
  }

  get serving(): Promise<{ readonly config: Config; readonly hooks: Hooks }> {
    return within(this.#serving.promise, "to serve");
  }

  /** It serves, and has started the command. */
  async ready(...addresses: readonly Address[]): Promise<MemoryCommand> {
    const { hooks } = await this.serving;
    hooks.onReady?.(addresses.length === 0 ? [{ kind: "tcp", host: "127.0.0.1", port: 4000 }] : addresses);
    const [command] = this.system.commands;
    assert.ok(command !== undefined);
    return command;
  }

  end(code: number): void {
    this.#served.resolve(code);
  }
}

const ARGS = ["--forward", "--", "npm", "ci", "--loud"];

test("a command has the terminal and the proxy, and Sluice ends with it and its code", async () => {
  const scene = new Scene(ARGS, { env: { no_proxy: "a.example", HOME: "/root" } });
  const { config } = await scene.serving;
  assert.deepEqual(config.listen.map(({ address }) => address), [{
    kind: "tcp",
    host: "127.0.0.1",
    port: 0,
  }]);
  const command = await scene.ready();
  const { command: words, env, stdin, stdout, stderr, ownGroup, folder } = command.options;
  assert.deepEqual(words, ["npm", "ci", "--loud"]);
  assert.deepEqual([stdin, stdout, stderr, ownGroup, folder], ["inherit", 1, 2, false, null]);
  assert.equal(env["https_proxy"], "http://127.0.0.1:4000");
  assert.equal(env["no_proxy"], "a.example");
  command.end({ code: 7 });
  assert.equal(await scene.code, 7);
  assert.equal(scene.system.stderr, "sluice: no destination asked for\n");
  assert.equal(scene.system.stdout, "");
});

test("what it has asked for is told at the end", async () => {
  const scene = new Scene(ARGS);
  const { hooks } = await scene.serving;
  const command = await scene.ready();
  hooks.exchanges?.record({
    ...newExchangeRecord(),
    method: "CONNECT",
    target: "a.example:443",
    status: 200,
  });
  command.end({ code: 0 });
  assert.equal(await scene.code, 0);
  assert.match(scene.system.stderr, /^sluice: 1 destination asked for\n.*\n {2}a\.example:443 .* allowed\n$/);
});

test("with log_level: error nothing is told", async () => {
  const scene = new Scene(["--log-level", "error", ...ARGS]);
  (await scene.ready()).end({ code: 0 });
  assert.equal(await scene.code, 0);
  assert.equal(scene.system.stderr, "");
});

test("a command that a signal has ended, and one that is not there, as shells tell it", async () => {
  const killed = new Scene(ARGS);
  (await killed.ready()).end({ signal: "SIGKILL" });
  assert.equal(await killed.code, 137);
  const absent = new Scene(ARGS);
  (await absent.ready()).end({ failure: "no such program" });
  assert.equal(await absent.code, 127);
  assert.match(absent.system.stderr, /^sluice: npm: no such program\n/);
});

test("signals are the command's, and Sluice serves on until it has ended", async () => {
  const scene = new Scene(ARGS);
  const command = await scene.ready();
  command.onSignal = () => {};
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT"] as const) {
    scene.system.signal(name);
  }
  assert.deepEqual(command.signals, ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT"]);
  command.end({ signal: "SIGTERM" });
  assert.equal(await scene.code, 143);
});

test("at a terminal Ctrl-C reaches the command by itself", async () => {
  const scene = new Scene(ARGS, { terminals: [0] });
  const command = await scene.ready();
  scene.system.signal("SIGINT");
  scene.system.signal("SIGTERM");
  assert.deepEqual(command.signals, ["SIGTERM"]);
  assert.equal(await scene.code, 143);
});

test("a signal before the command: it is not started", async () => {
  const scene = new Scene(ARGS);
  const { hooks } = await scene.serving;
  scene.system.signal("SIGINT");
  hooks.onReady?.([{ kind: "tcp", host: "127.0.0.1", port: 4000 }]);
  assert.equal(await scene.code, 130);
  assert.equal(scene.system.commands.length, 0);
});

test("the signals of serving count once the command has ended", async () => {
  const scene = new Scene(ARGS);
  const { hooks } = await scene.serving;
  const heard: string[] = [];
  hooks.onSignal?.("SIGTERM", () => heard.push("SIGTERM"));
  hooks.onSignal?.("SIGHUP", () => heard.push("SIGHUP"));
  const command = await scene.ready();
  scene.system.signal("SIGTERM");
  assert.deepEqual(heard, []);
  await scene.code;
  scene.system.signal("SIGTERM");
  scene.system.signal("SIGHUP");
  assert.deepEqual([heard, command.signals], [["SIGTERM"], ["SIGTERM"]]);
});

test("when Sluice ends first, it ends the command, and its own code counts", async () => {
  const scene = new Scene(ARGS);
  const command = await scene.ready();
  scene.end(1);
  assert.equal(await scene.code, 1);
  assert.deepEqual(command.signals, ["SIGTERM"]);
});

test("when it cannot serve, no command is started", async () => {
  const scene = new Scene(ARGS);
  await scene.serving;
  scene.end(3);
  assert.equal(await scene.code, 3);
  assert.equal(scene.system.commands.length, 0);
  assert.equal(scene.system.stderr, "");
});

test("a listener without TLS is preferred, at an address that can be dialled", async () => {
  const forward = "https://127.0.0.1:0,*:0,unix:/run/p.sock";
  const args = [`--forward=${forward}`, "--forward-open", "--tls-cert", "/c", "--tls-key", "/k", "--", "npm"];
  const scene = new Scene(args, { files: { "/c": certificate.cert, "/k": certificate.key } });
  const tcp = (host: string, port: number): Address => ({ kind: "tcp", host, port });
  const command = await scene.ready(tcp("127.0.0.1", 1), tcp("0.0.0.0", 2), {
    kind: "unix",
    path: "/run/p.sock",
  });
  assert.equal(command.options.env["http_proxy"], "http://127.0.0.1:2");
  command.end({ code: 0 });
  assert.equal(await scene.code, 0);
});
