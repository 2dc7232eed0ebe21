/**
 * The origin server of the benchmarks: nginx with one worker, answering from memory or the page cache, so
 * that it is cheaper than any proxy in front of it; and the one that keeps going away.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { answerOf, until200 } from "./bench_answer.ts";
import { BODY_BYTES, HELLO_BODY, type OriginPath, PATTERN, SMALL_BODY } from "./bench_bodies.ts";
import type { Workspace } from "./bench_workspace.ts";
import { root, tool } from "./child.ts";

/** How long the origin of the scenario `away` does not listen after each connection. Milliseconds. */
export const AWAY_MS = 50;

/** nginx as root would give up its rights, and with them the way into our folder. */
export function nginxUser(): string {
  return process.getuid?.() === 0 ? "user root;" : "";
}

/** Folders that nginx would otherwise look for in /var. */
export function nginxFolders(folder: string, name: string): string {
  return ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((kind) => `${kind}_temp_path ${folder}/${name}-${kind};`).join(" ");
}

function configuration(folder: string, port: number): string {
  const inner = `unix:${folder}/inner.sock`;
  return `
daemon off; worker_processes 1; ${nginxUser()}
pid ${folder}/origin.pid;
error_log ${folder}/origin-error.log crit;
events { worker_connections 15000; multi_accept on; }
http {
  access_log off;
  default_type text/plain;
  keepalive_timeout 1h; keepalive_requests 1000000000;
  client_max_body_size 0;
  sendfile on; tcp_nopush on;
  open_file_cache max=16 inactive=1h;
  ${nginxFolders(folder, "origin")}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${folder}/www;
    location = /small { return 200 "${SMALL_BODY.replace("\n", "\\n")}"; }
    location = /hello { return 200 "${HELLO_BODY.replace("\n", "\\n")}"; }
    location = /kib { return 200 "${PATTERN.repeat(1024 / PATTERN.length)}"; }
    # "return" alone answers before the body has come; a proxied request is read to its end first.
    location = /upload {
      client_body_buffer_size 2m;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header X-Received $request_length;
      proxy_pass http://${inner}:/received;
    }
  }
  server {
    listen ${inner};
    location = /received { return 200 "$http_x_received\\n"; }
  }
}
`;
}

export interface Origins {
  /** Port of nginx. */
  readonly plain: number;
  /** Port of the origin that is away after each connection; 0 when no scenario needs it. */
  readonly away: number;
}

/** Starts the origin, and the one that keeps going away when it is wanted. */
export async function startOrigins(space: Workspace, withAway: boolean): Promise<Origins> {
  mkdirSync(join(space.folder, "www"));
  for (const path of ["/64k", "/1m", "/8m"] as const) {
    space.file(`www${path}`, PATTERN.repeat(BODY_BYTES[path] / PATTERN.length));
  }
  const plain = await space.freePort();
  const config = space.file("origin.conf", configuration(space.folder, plain));
  const errors = join(space.folder, "origin-error.log");
  const nginx = space.launch("origin", { command: ["nginx", "-c", config, "-e", errors] }, "load");
  await until200(plain, "/small", nginx);
  for (const path of Object.keys(BODY_BYTES) as OriginPath[]) await answerOf(plain, path);
  if (!withAway) return { plain, away: 0 };
  const away = await space.freePort();
  const program = join(root, "scripts/support/bench_away_origin.ts");
  const command = [tool("node"), program, String(away), String(AWAY_MS)];
  const process = space.launch("away-origin", { command }, "load");
  await until200(away, "/", process);
  return { plain, away };
}
