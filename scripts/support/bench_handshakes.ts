/**
 * Whether ab makes a full handshake for every connection, as `tlsclose` has it. wrk and h2load do not: they keep the
 * session of a connection for the next one, which makes the handshake cheap, and differently so with every server.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until200 } from "./bench_answer.ts";
import { certificateIn } from "./bench_certificate.ts";
import { nginxTls } from "./bench_contender.ts";
import { nginxUser } from "./bench_origin.ts";
import { ab } from "./bench_tools.ts";
import type { Workspace } from "./bench_workspace.ts";

const CONNECTIONS = 4;
const REQUESTS = 24;
const SECONDS = 5;
/** What nginx writes of a full handshake. */
const FULL = ". TLSv1.3 TLS_AES_128_GCM_SHA256 X25519";

/** @param lines what nginx has written of ab's handshakes @returns what is wrong with them, or null */
export function handshakeProblem(lines: readonly string[]): string | null {
  const other = lines.find((line) => line !== FULL);
  if (other !== undefined) return `ab's TLS handshakes are not full ones: "${other}" instead of "${FULL}"`;
  return lines.length === REQUESTS ? null : `ab made ${lines.length} TLS handshakes for ${REQUESTS} requests`;
}

/** Asks a server that writes what was agreed upon. @throws when ab does not do what it should */
export async function checkHandshakes(space: Workspace): Promise<void> {
  const { folder } = space;
  const certificate = certificateIn(folder);
  const port = await space.freePort();
  const log = join(folder, "handshakes.log");
  const errors = join(folder, "handshakes-error.log");
  const config = space.file(
    "handshakes.conf",
    `
daemon off; worker_processes 1; ${nginxUser()}
pid ${folder}/handshakes.pid;
error_log ${errors} crit;
events { worker_connections 100; }
http {
  log_format handshake "$ssl_session_reused $ssl_protocol $ssl_cipher $ssl_curves";
  server {
    listen 127.0.0.1:${port} ssl;
    ${nginxTls(certificate)}
    access_log off;
    location = /up { return 200 "up"; }
    location = / { access_log ${log} handshake; return 200 "ok"; }
  }
}
`,
  );
  const nginx = space.launch("handshakes", { command: ["nginx", "-c", config, "-e", errors] }, "load");
  try {
    await until200(port, "/up", nginx, certificate.pem);
    const load = { path: "/", connections: CONNECTIONS, requests: REQUESTS, keepAlive: false, bodyBytes: 2 };
    await ab(space, port, { ...load, tls: true }, SECONDS);
  } finally {
    await space.end(nginx.child);
  }
  const problem = handshakeProblem(readFileSync(log, "latin1").split("\n").slice(0, -1));
  if (problem !== null) throw new Error(problem);
}
