import assert from "node:assert/strict";
import { test } from "node:test";
import { SystemError } from "../../../runtime/contract/contract.ts";
import { run } from "../../../src/cli/run.ts";
import type { Serve } from "../../../src/cli/serve.ts";
import type { Config } from "../../../src/config/values/config.ts";
import { createMemoryRuntime } from "../../support/memory_runtime.ts";
import {
  expiredCertificate,
  localhostCertificate,
  testAuthority,
  wildcardCertificate,
} from "../../support/certificates.ts";
import { MemorySystem, type MemorySystemOptions } from "../../support/memory_system.ts";

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly served: Config | null;
}

async function sluice(args: readonly string[], options: MemorySystemOptions = {}): Promise<Outcome> {
  const system = new MemorySystem({ ...options, args });
  let served: Config | null = null;
  const serve: Serve = async (_runtime, _system, config) => {
    served = config;
    return 0;
  };
  const code = await run(createMemoryRuntime(), system, serve);
  return { code, stdout: system.stdout, stderr: system.stderr, served };
}

test("serving with flags", async () => {
  const outcome = await sluice(["--to", "3000", "--hold", "5s"]);
  assert.equal(outcome.code, 0);
  assert.equal(outcome.stdout + outcome.stderr, "");
  assert.equal(outcome.served?.upstreams[0]?.holdMs, 5000);
});

test("serving a file, with warnings on standard error", async () => {
  const files = { "s.yaml": "to: 3000\naccess_log: {to: stderr}\n" };
  for (const where of [{ args: ["--config", "s.yaml"] }, { args: [], env: { SLUICE_CONFIG: "s.yaml" } }]) {
    const outcome = await sluice(where.args, {
      files,
      ...(where.env === undefined ? {} : { env: where.env }),
    });
    assert.equal(outcome.code, 0);
    assert.ok(outcome.served !== null);
    assert.match(outcome.stderr, /^warning: s\.yaml:2: access_log\.to: has no effect/);
    assert.equal(outcome.stdout, "");
  }
});

test("a configuration on standard input", async () => {
  const outcome = await sluice(["check", "--config", "-"], { stdin: "to: 3000\nx: 1\n" });
  assert.equal(outcome.code, 2);
  assert.equal(outcome.stderr, "stdin:2: x: unknown key in the file\n");
});

test("without anything to serve there is an introduction", async () => {
  const outcome = await sluice([]);
  assert.equal(outcome.code, 2);
  assert.equal(outcome.stdout, "");
  assert.match(outcome.stderr, /sluice --to 3000/);
  assert.match(outcome.stderr, /sluice demo/);
  assert.equal(outcome.served, null);
});

test("bad usage and bad configuration exit with 2 before anything is served", async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["--holdd", "3s"], /^--holdd: unknown flag; did you mean --hold\?\ntry "sluice --help"\n$/],
    [["--hold", "30", "--queue-size", "x"], /^--hold: .*\n--queue-size: .*\n$/],
    [["--config", "missing.yaml"], /^--config: cannot be read: .*missing\.yaml\n$/],
    [["--config", "missing.yaml", "--hold", "x"], /^--config: cannot be read.*\n--hold: must be/],
    [["--config="], /^--config: must be the path of a file/],
    [["--config", "a", "--config", "b"], /^--config: given 2 times/],
    [["check"], /^nothing says where requests should go/],
    [["config"], /^nothing says where requests should go/],
    [["check", "--config", "empty.yaml"], /^empty\.yaml: says nowhere/],
    [["--config", "empty.yaml"], /^empty\.yaml: says nowhere/],
    [["demo", "--to", "3"], /^--to: the demo brings its own backend/],
    [["demo", "--away", "3"], /^--away: needs a unit/],
    [["demo", "--away", "1d"], /^--away: must be 0 to 1m/],
    [["help", "nothing"], /^unknown command: nothing/],
  ];
  for (const [args, stderr] of cases) {
    const outcome = await sluice(args, { files: { "empty.yaml": "" } });
    assert.equal(outcome.code, 2, args.join(" "));
    assert.match(outcome.stderr, stderr);
    assert.equal(outcome.stdout, "");
    assert.equal(outcome.served, null);
  }
});

test("check", async () => {
  const good = await sluice(["check", "--to", "3000,3001"]);
  assert.deepEqual(good, {
    code: 0,
    stdout: "ok: 1 listener, 1 route, 1 upstream, 2 endpoints\n",
    stderr: "",
    served: null,
  });
  const bad = await sluice(["check", "--config", "s.yaml"], {
    files: { "s.yaml": "to: 3000\nholdd: 1s\nvia: 'a b'\n" },
  });
  assert.equal(bad.code, 2);
  assert.equal(bad.stderr.split("\n").length, 3);
  const json = await sluice(["check", "--json", "--to", "x"]);
  assert.equal(json.code, 2);
  const document = JSON.parse(json.stdout);
  assert.equal(document.ok, false);
  assert.equal(document.problems[0].name, "--to");
  assert.equal(json.stderr, "");
});

test("check reads certificate files", async () => {
  const args = [
    "check",
    "--to",
    "https://h",
    "--listen",
    "https://:1",
    "--tls-cert",
    "c",
    "--tls-key",
    "k",
    "--upstream-tls-ca",
    "ca",
  ];
  const { cert, key } = localhostCertificate;
  const missing = await sluice(args, { files: { c: cert } });
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /^--tls-key: cannot be read: .*\n--upstream-tls-ca: cannot be read: .*\n$/);
  const exchanged = await sluice(args, { files: { c: key, k: cert, ca: "x" } });
  assert.equal(
    exchanged.stderr,
    "--tls-cert: has no certificate in PEM format\n--tls-key: has no private key in PEM format\n" +
      "--upstream-tls-ca: has no certificate in PEM format\n",
  );
  assert.equal((await sluice(args, { files: { c: cert, k: key, ca: testAuthority } })).code, 0);
});

test("a start with certificate files that do not fit serves nothing, and says what check says", async () => {
  const args = ["--to", "https://h", "--listen", "https://:1", "--tls-cert", "c", "--tls-key", "k"];
  const { cert, key } = localhostCertificate;
  const other = { files: { c: cert, k: wildcardCertificate.key } };
  const wrong = await sluice(args, other);
  assert.equal(wrong.stderr, "--tls-key: is not the key of the certificate (CN=localhost)\n");
  assert.equal(wrong.served, null);
  const checked = await sluice(["check", ...args], other);
  assert.deepEqual([wrong.code, checked.code, checked.stderr], [2, 2, wrong.stderr]);
  const upstream = [...args, "--upstream-tls-cert", "c", "--upstream-tls-key", "u"];
  const two = await sluice(upstream, { files: { c: cert, k: key, u: wildcardCertificate.key } });
  assert.match(two.stderr, /\n--upstream-tls-key: is not the key of the certificate \(CN=localhost\)\n$/);
  assert.equal(two.code, 2);
});

test("a certificate that is not valid now is served, with a warning", async () => {
  const args = ["--to", "3000", "--listen", "https://:1", "--tls-cert", "c", "--tls-key", "k"];
  const { cert, key } = expiredCertificate;
  const outcome = await sluice(args, { files: { c: cert, k: key } });
  // The clock of the test stands in 1994.
  assert.equal(
    outcome.stderr,
    "warning: --tls-cert: is not valid before 2024-01-01T00:00:00.000Z (CN=expired)\n",
  );
  assert.equal(outcome.code, 0);
  assert.ok(outcome.served !== null);
});

test("a flood of problems is cut", async () => {
  const text = Array.from({ length: 500 }, (_, index) => `zzz${index}: 1\n`).join("");
  const outcome = await sluice(["check", "--config", "s.yaml"], { files: { "s.yaml": text } });
  assert.equal(outcome.stderr.split("\n").length, 102);
  assert.match(outcome.stderr, /and 400 more\n$/);
});

test("config prints YAML that can be used, or JSON with origins", async () => {
  const yaml = await sluice(["config", "--to", "3000", "--hold", "1s"], { env: { SLUICE_VIA: "v" } });
  assert.equal(yaml.code, 0);
  assert.match(yaml.stdout, /^hold: 1s {2}# flag --hold$/m);
  assert.match(yaml.stdout, /^via: v {2}# environment SLUICE_VIA$/m);
  const again = await sluice(["config", "--config", "s.yaml", "--json"], {
    files: { "s.yaml": yaml.stdout },
  });
  const first = await sluice(["config", "--to", "3000", "--hold", "1s", "--json"], {
    env: { SLUICE_VIA: "v" },
  });
  assert.deepEqual(JSON.parse(again.stdout).config, JSON.parse(first.stdout).config);
  assert.equal(JSON.parse(first.stdout).origins.hold.text, "flag --hold");
  assert.equal(JSON.parse(first.stdout).config.upstreams[0].holdMs, 1000);
});

test("version", async () => {
  for (const args of [["version"], ["--version"], ["-v"]]) {
    const outcome = await sluice(args);
    assert.equal(outcome.code, 0);
    assert.equal(outcome.stdout, "sluice dev, memory 0, linux\n");
  }
  const json = await sluice(["version", "--json"]);
  assert.deepEqual(JSON.parse(json.stdout), {
    version: "dev",
    commit: "",
    runtime: "memory",
    runtimeVersion: "0",
    platform: "linux",
  });
});

test("help goes to standard output", async () => {
  for (
    const args of [["--help"], ["-h"], ["help"], ["help", "demo"], ["check", "--help"], [
      "--help",
      "--to",
      "3",
    ]]
  ) {
    const outcome = await sluice(args);
    assert.equal(outcome.code, 0, args.join(" "));
    assert.equal(outcome.stderr, "");
    assert.match(outcome.stdout, /^sluice /);
  }
});

test("a reader of standard output that has gone is no failure", async () => {
  const system = new MemorySystem({ args: ["--help"] });
  system.writeDescriptor = () => {
    throw new SystemError("EPIPE", "broken pipe");
  };
  assert.equal(await run(createMemoryRuntime(), system, async () => 0), 0);
});

test("a result that cannot be written is a failure: half a file must not look whole", async () => {
  for (const args of [["--help"], ["config", "--to", "3000"], ["completions", "zsh"], ["man"], ["version"]]) {
    const system = new MemorySystem({ args });
    const write = system.writeDescriptor.bind(system);
    system.writeDescriptor = (fd, text) => {
      if (fd === 1) throw new SystemError("ENOSPC", "no space left");
      write(fd, text);
    };
    assert.equal(await run(createMemoryRuntime(), system, async () => 0), 1, args.join(" "));
    assert.equal(system.stderr, "sluice: standard output: no space left\n");
  }
});

test("demo serves in front of its own backend and says what to try", async () => {
  const system = new MemorySystem({ args: ["demo", "--away", "10ms"] });
  const runtime = createMemoryRuntime();
  let endpoint = "";
  const serve: Serve = async (_runtime, _system, config, hooks) => {
    endpoint = config.upstreams[0]?.endpoints[0]?.name ?? "";
    assert.deepEqual(config.listen[0]?.address, { kind: "tcp", host: "127.0.0.1", port: 8080 });
    hooks?.onReady?.([{ kind: "tcp", host: "0.0.0.0", port: 8080 }]);
    return 0;
  };
  assert.equal(await run(runtime, system, serve), 0);
  assert.match(endpoint, /^127\.0\.0\.1:\d+$/);
  assert.ok(system.stdout.includes(endpoint));
  assert.match(system.stdout, /10ms later/);
  assert.match(system.stdout, /curl http:\/\/127\.0\.0\.1:8080\//);
  assert.match(system.stdout, /ab -n 100 -c 10 /);
});
