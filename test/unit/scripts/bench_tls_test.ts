/** The benchmark with TLS: who shows the certificate, and that a server or a tool that does something else is found out. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createServer, type TlsOptions } from "node:tls";
import { ask } from "../../../scripts/support/bench_answer.ts";
import { candidate, gatewaySluice } from "../../../scripts/support/bench_candidate.ts";
import { certificateIn } from "../../../scripts/support/bench_certificate.ts";
import { PEERS, type Role } from "../../../scripts/support/bench_contender.ts";
import { handshakeProblem } from "../../../scripts/support/bench_handshakes.ts";
import { readOptions } from "../../../scripts/support/bench_options.ts";
import { localhostCertificate, otherAuthority, testAuthority } from "../../support/certificates.ts";

const certificate = { cert: "/b/cert.pem", key: "/b/key.pem", both: "/b/both.pem", pem: "PEM" };
const FULL = ". TLSv1.3 TLS_AES_128_GCM_SHA256 X25519";

function role(folder: string, tls: boolean): Role {
  const origin = "127.0.0.1:8000";
  return { port: 9000, origin, folder, away: false, log: null, certificate: tls ? certificate : null };
}

async function inFolder(body: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Serves `text` on TLS. @returns its port and how it is ended */
async function tlsServer(text: string, options: TlsOptions): Promise<{ port: number; end: () => void }> {
  const server = createServer({ ...localhostCertificate, ...options }, (socket) => {
    socket.on("error", () => {}); // a client that does not trust us leaves
    socket.once("data", () => socket.end(text));
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((listens) => server.listen({ port: 0, host: "127.0.0.1" }, listens));
  return { port: (server.address() as AddressInfo).port, end: () => server.close() };
}

test("every peer speaks TLS 1.3 to clients where it is wanted, with the one certificate, and not otherwise", () =>
  inFolder((folder) => {
    for (const peer of PEERS) {
      for (const tls of [true, false]) {
        const { command } = peer.launch(role(folder, tls)) ?? assert.fail(peer.name);
        const file = command.find((word) => word.startsWith(folder) && /\.(conf|cfg|txt)$/.test(word));
        const text = readFileSync(file ?? assert.fail(command.join(" ")), "utf8");
        assert.equal(/\/b\/(cert|both)\.pem/.test(text), tls, text);
        assert.equal(/(TLSv1\.3|tls1\.3)\b/.test(text), tls, text);
        assert.doesNotMatch(text, /undefined|null/);
      }
    }
  }));

test("a Sluice gets the flags of the certificate; a command that has no place for them takes no part", () => {
  const [plain, secure] = [role("/b", false), role("/b", true)];
  const sluice = gatewaySluice({ name: "sluice", command: "x" });
  assert.equal(
    sluice.launch(plain)?.command.at(-1),
    "exec x --listen 127.0.0.1:9000 --to 127.0.0.1:8000 ",
  );
  assert.equal(
    sluice.launch(secure)?.command.at(-1),
    "exec x --listen https://127.0.0.1:9000 --tls-cert /b/cert.pem --tls-key /b/key.pem --to 127.0.0.1:8000 ",
  );
  const other = candidate("other", "y {port} {origin}");
  assert.equal(other.launch(plain)?.command.at(-1), "exec y 9000 127.0.0.1:8000");
  assert.equal(other.launch(secure), null);
  assert.ok(typeof readOptions(["--candidate", "a=b {listen} {origin}"]) !== "string");
  assert.throws(() => readOptions(["--candidate", "a=b {origin}"]), /needs \{port\} or \{listen\}/);
});

test("an answer by TLS is read only from the server that has the certificate, and by TLS 1.3", async () => {
  const text = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
  const modern = await tlsServer(text, { minVersion: "TLSv1.3" });
  const old = await tlsServer(text, { maxVersion: "TLSv1.2" });
  try {
    const { status, body, wireBytes } = await ask(modern.port, "/small", { certificate: testAuthority });
    assert.deepEqual([status, body, wireBytes], [200, "ok\n", text.length]);
    await assert.rejects(ask(modern.port, "/small", { certificate: otherAuthority }));
    await assert.rejects(ask(modern.port, "/small"));
    await assert.rejects(ask(old.port, "/small", { certificate: testAuthority }));
  } finally {
    modern.end();
    old.end();
  }
});

test("the certificate is made once for a folder", (t) =>
  inFolder((folder) => {
    if (spawnSync("openssl", ["version"]).error !== undefined) return t.skip("openssl is not installed");
    const made = certificateIn(folder);
    assert.match(made.pem, /^-----BEGIN CERTIFICATE-----\n/);
    assert.equal(readFileSync(made.both, "utf8"), readFileSync(made.key, "utf8") + made.pem);
    assert.deepEqual(certificateIn(folder), made);
    assert.throws(() => certificateIn(join(folder, "none")), /^Error: openssl req: /);
  }));

test("handshakes that resume a session, or are fewer than requests, are not taken for full ones", () => {
  const full = Array.from({ length: 24 }, () => FULL);
  assert.equal(handshakeProblem(full), null);
  assert.match(String(handshakeProblem(full.with(5, FULL.replace(".", "r")))), /not full ones: "r TLSv1\.3/);
  assert.match(String(handshakeProblem(full.with(23, FULL.replace("1.3", "1.2")))), /not full ones/);
  assert.match(String(handshakeProblem(full.slice(1))), /23 TLS handshakes for 24 requests/);
  assert.match(String(handshakeProblem([])), /0 TLS handshakes/);
});
