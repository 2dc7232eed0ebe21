/** What `serve` says when it can serve, and what keeps it from serving: every message names the option. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { SystemError } from "../../../runtime/contract/contract.ts";
import { serve } from "../../../src/serve/serve.ts";
import { loadConfig } from "../../../src/config/load_config.ts";
import { formatProblem } from "../../../src/config/values/problem.ts";
import { adapterFactory } from "../../support/adapter.ts";
import {
  clientCertificate,
  localhostCertificate,
  testAuthority,
  wildcardCertificate,
} from "../../support/certificates.ts";
import { MemorySystem } from "../../support/memory_system.ts";
import { within } from "../../support/watchdog.ts";

const FILES = {
  "/ca": testAuthority,
  "/cert": localhostCertificate.cert,
  "/key": localhostCertificate.key,
  "/other key": wildcardCertificate.key,
  "/encrypted": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
  "/old encrypted":
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
  "/text": "not a certificate\n",
};

/** Serves `yaml` until it fails, or until it is ready and told to stop. */
async function served(yaml: string, system: MemorySystem): Promise<{ code: number; ready: boolean }> {
  const file = { path: "s.yaml", text: yaml };
  const loaded = loadConfig({ flags: { control: ["off"] }, env: {}, file });
  assert.ok(loaded.ok, loaded.ok ? "" : loaded.problems.map(formatProblem).join("\n"));
  const runtime = (await adapterFactory())({ onHandlerError: (error) => assert.fail(String(error)) });
  let ready = false;
  const onReady = () => {
    ready = true;
    system.signal("SIGTERM");
  };
  const code = await within(serve(runtime, system, loaded.config, { onReady }), "serve to end");
  return { code, ready };
}

function memorySystem(): MemorySystem {
  return new MemorySystem({ files: FILES });
}

test("the log says where Sluice listens, as one would write it", async () => {
  const system = memorySystem();
  system.files.set("/unrelated", "x");
  const yaml = 'listen: ["127.0.0.1:0", "https://127.0.0.1:0"]\ntls: {cert: /cert, key: /key}\n' +
    "to: https://127.0.0.1:9\nupstream_tls: {ca: /ca, cert: /cert, key: /key}\n";
  assert.deepEqual(await served(yaml, system), { code: 0, ready: true });
  assert.match(
    system.stderr,
    /info sluice: listening on 127\.0\.0\.1:\d+, https:\/\/127\.0\.0\.1:\d+\n.*SIGTERM.*\n.*stopped\n$/,
  );
});

test("a limit on open files that leaves room for fewer clients is told", async () => {
  const system = memorySystem();
  system.descriptorLimit = 1024;
  assert.deepEqual(await served('listen: "127.0.0.1:0"\nto: 9\n', system), { code: 0, ready: true });
  assert.match(system.stderr, /warn .*599 clients may be connected at a time, not 20000 \(max_connections\)/);
  const few = memorySystem();
  few.descriptorLimit = 1024;
  assert.deepEqual(await served('listen: "127.0.0.1:0"\nto: 9\nmax_connections: 600\n', few), {
    code: 0,
    ready: true,
  });
  assert.doesNotMatch(few.stderr, /max_connections/);
});

const LISTEN = 'listen: "https://127.0.0.1:0"\nto: 9\n';

const files: readonly (readonly [what: string, yaml: string, message: string | RegExp])[] = [
  ["cert is missing", LISTEN + "tls: {cert: /x, key: /key}", "tls.cert: cannot be read: no such file: /x"],
  [
    "cert is none",
    LISTEN + "tls: {cert: /text, key: /key}",
    "tls.cert: /text has no certificate in PEM format",
  ],
  [
    "key is a cert",
    LISTEN + "tls: {cert: /cert, key: /cert}",
    "tls.key: /cert has no private key in PEM format",
  ],
  [
    "key is encrypted",
    LISTEN + "tls: {cert: /cert, key: /encrypted}",
    "tls.key: /encrypted is encrypted: there is nobody to ask for the passphrase",
  ],
  [
    "key is encrypted, old format",
    LISTEN + "tls: {cert: /cert, key: /old encrypted}",
    "tls.key: /old encrypted is encrypted: there is nobody to ask for the passphrase",
  ],
  [
    "a key of another certificate",
    LISTEN + "tls: {cert: /cert, key: /other key}",
    "tls.key: /other key is not the key of the certificate (CN=localhost)",
  ],
  [
    "authorities are none",
    "to: https://h\nupstream_tls: {ca: /text}",
    "upstream_tls.ca of default: /text has no certificate in PEM format",
  ],
  [
    "client certificate is missing",
    "upstreams: {app: {endpoints: [https://h], upstream_tls: {cert: /none, key: /key}}}",
    "upstream_tls.cert of app: cannot be read: no such file: /none",
  ],
];

for (const [what, yaml, message] of files) {
  test(`a file that cannot be used: ${what}`, async () => {
    const system = memorySystem();
    assert.deepEqual(await served(yaml, system), { code: 1, ready: false });
    assert.equal(system.stderr, `sluice: ${message}\n`);
  });
}

test("ports and paths that cannot be bound", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const address = taken.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const cases = [
    [
      `127.0.0.1:${port}`,
      /^sluice: cannot listen on 127\.0\.0\.1:\d+: .*; another program listens there: stop it/,
    ],
    ["unix:/nonexistent/s", /^sluice: cannot listen on unix:\/nonexistent\/s: .*; the folder must exist/],
  ] as const;
  try {
    for (const [listen, message] of cases) {
      const system = memorySystem();
      const outcome = await served(`listen: "${listen}"\nto: 127.0.0.1:9\n`, system);
      assert.deepEqual(outcome, { code: 3, ready: false });
      assert.match(system.stderr, message);
    }
  } finally {
    await new Promise((resolve) => taken.close(resolve));
  }
});

const PLAIN = 'listen: "127.0.0.1:0"\nto: 127.0.0.1:9\n';

test("logs, port files and descriptors that cannot be written", async () => {
  const denied = new SystemError("EACCES", "no, no");
  const log = memorySystem();
  log.files.set("/log", denied);
  assert.equal((await served(PLAIN + "access_log: {format: json, to: /log}", log)).code, 1);
  assert.equal(log.stderr, "sluice: access_log.to: cannot be opened: no, no\n");

  const port = memorySystem();
  port.files.set("/port", denied);
  assert.equal((await served(PLAIN + "pid_file: /pid\nport_file: /port", port)).code, 1);
  assert.match(port.stderr, /^sluice: --port-file: cannot be written: no, no$/m);
  assert.equal(port.files.has("/pid"), false, "what was written before is removed");

  const ready = memorySystem();
  const write = ready.writeDescriptor.bind(ready);
  ready.writeDescriptor = (fd, text) => {
    if (fd === 7) throw denied;
    write(fd, text);
  };
  assert.equal((await served(PLAIN + "ready_fd: 7", ready)).code, 1);
  assert.match(ready.stderr, /^sluice: --ready-fd 7: no, no$/m);
});

test("ready: the port file is there while Sluice serves, and gone afterwards", async () => {
  const system = memorySystem();
  const seen: string[] = [];
  const write = system.writeDescriptor.bind(system);
  system.writeDescriptor = (fd, text) => {
    if (fd === 7) seen.push(text, String(system.files.get("/port")), String(system.files.get("/pid")));
    write(fd, text);
  };
  const yaml = PLAIN + "ready_fd: 7\nport_file: /port\npid_file: /pid\n";
  assert.deepEqual(await served(yaml, system), { code: 0, ready: true });
  assert.equal(seen[0], "READY=1\n");
  assert.match(seen[1] ?? "", /^\d+\n$/);
  assert.equal(seen[2], "4711\n");
  assert.equal(system.files.has("/port") || system.files.has("/pid"), false);
});

test("a client certificate of an upstream is read as well", async () => {
  const system = memorySystem();
  system.files.set("/client cert", clientCertificate.cert);
  system.files.set("/client key", clientCertificate.key);
  const yaml = 'listen: "127.0.0.1:0"\nto: https://127.0.0.1:9\n' +
    "upstream_tls: {cert: /client cert, key: /client key}\n";
  assert.deepEqual(await served(yaml, system), { code: 0, ready: true });
});
