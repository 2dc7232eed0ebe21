/**
 * Whoever takes part in a comparison: the executable, the peers that this machine has, builds named on the
 * command line, and no proxy at all. All are configured for the same: one upstream with a pool of connections,
 * no access log unless asked for.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Certificate } from "./bench_certificate.ts";
import { nginxFolders, nginxUser } from "./bench_origin.ts";
import type { Launch } from "./bench_workspace.ts";

/** What contenders are: before the origin, asked for other origins, answering by themselves, deciding by a script. */
export type Part = "gateway" | "forward" | "answer" | "script";

/** What a proxy is started for. */
export interface Role {
  readonly port: number;
  /** HOST:PORT of the origin. */
  readonly origin: string;
  readonly folder: string;
  /** The origin is the one that goes away: a request has to wait for it. */
  readonly away: boolean;
  /** File for the access log; null = none. */
  readonly log: string | null;
  /** What clients are shown, who speak TLS 1.3; null = no TLS. Never towards the origin. */
  readonly certificate: Certificate | null;
}

export interface Contender {
  readonly name: string;
  readonly kind: "direct" | "peer" | "subject";
  /** The program that has to be installed. */
  readonly program?: string;
  /** What else is missing on this machine, if anything. */
  missing?(): string | null;
  /** Null when it cannot play the role. */
  launch(role: Role): Launch | null;
}

export const DIRECT: Contender = { name: "direct", kind: "direct", launch: () => null };

/** Most connections at a time, of clients and to the origin each. */
export const CONNECTIONS = 9000;

/** Where Debian puts the modules of nginx. */
export const NGINX_MODULES = "/usr/lib/nginx/modules";

/** What the configurations of nginx differ in. */
interface NginxParts {
  /** Directives of the one location. */
  readonly location: string;
  /** `load_module` lines. */
  readonly modules?: string;
  /** Further directives for all servers. */
  readonly http?: string;
}

/** Writes a configuration. @returns the command that runs it */
export function nginxConfig(role: Role, name: string, parts: NginxParts): string[] {
  const { port, origin, folder, log, certificate } = role;
  const { location, modules = "", http = "" } = parts;
  const text = `
${modules}
daemon off; worker_processes 1; ${nginxUser()}
pid ${folder}/${name}-${port}.pid;
error_log ${folder}/nginx-error.log crit;
events { worker_connections ${2 * CONNECTIONS}; multi_accept on; }
http {
  access_log ${log === null ? "off" : `${log} combined`};
  default_type text/plain;
  keepalive_timeout 1h; keepalive_requests 1000000000;
  client_max_body_size 0;
  ${http}
  ${nginxFolders(folder, `${name}-${port}`)}
  upstream pool {
    server ${origin} max_fails=0;
    keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 1h;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096${certificate === null ? "" : " ssl"};
    ${certificate === null ? "" : nginxTls(certificate)}
    location / {
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      # Bodies pass through as they come, as they do in the others.
      proxy_request_buffering off;
      proxy_buffer_size 16k; proxy_buffers 16 16k; proxy_max_temp_file_size 0;
      ${location}
    }
  }
}
`;
  const config = writeConfig(folder, `${name}-${port}.conf`, text);
  return ["nginx", "-c", config, "-e", join(folder, "nginx-error.log")];
}

/** For a `server`. Session tickets are sent, as the defaults of all the others have it, too. */
export function nginxTls({ cert, key }: Certificate): string {
  return `ssl_certificate ${cert}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3;`;
}

const nginx: Contender = {
  name: "nginx",
  kind: "peer",
  program: "nginx",
  launch: (role) => ({ command: nginxConfig(role, "nginx", { location: "proxy_pass http://pool;" }) }),
};

/** What the configurations of HAProxy differ in: further lines. */
interface HaproxyParts {
  readonly global?: string;
  readonly frontend?: string;
}

export function haproxyConfig(role: Role, name: string, parts: HaproxyParts = {}): Launch {
  const { port, origin, folder, log, away, certificate } = role;
  const { global = "", frontend = "" } = parts;
  const tls = certificate === null ? "" : ` ssl crt ${certificate.both} ssl-min-ver TLSv1.3`;
  // It pauses between two tries for the connect timeout, one second at most.
  const retry = "retries 5000\n  retry-on all-retryable-errors\n  timeout connect 10ms\n  option httpclose";
  const text = `
global
  nbthread 1
  maxconn ${CONNECTIONS}
  ${log === null ? "" : "log stdout format raw local0 info"}
  ${global}
defaults
  mode http
  ${log === null ? "" : "log global\n  option httplog"}
  backlog 4096
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
  ${away ? retry : "timeout connect 5s\n  http-reuse always"}
frontend clients
  bind 127.0.0.1:${port}${tls}
  ${frontend}
  default_backend app
backend app
  server one ${origin}${away ? "" : ` maxconn ${CONNECTIONS} pool-purge-delay 1h`}
`;
  const command = ["haproxy", "-db", "-f", writeConfig(folder, `${name}-${port}.cfg`, text)];
  return log === null ? { command } : { command, stdout: log };
}

const haproxy: Contender = {
  name: "haproxy",
  kind: "peer",
  program: "haproxy",
  launch: (role) => haproxyConfig(role, "haproxy"),
};

const caddy: Contender = {
  name: "caddy",
  kind: "peer",
  program: "caddy",
  launch: ({ port, origin, folder, log, away, certificate }) => {
    const tls = certificate && `tls ${certificate.cert} ${certificate.key} {\n    protocols tls1.3\n  }`;
    const text = `{
  admin off
  auto_https off
  grace_period 1s
  ${tls === null ? "" : "servers {\n    protocols h1\n  }"}
}
${tls === null ? "http" : "https"}://:${port} {
  bind 127.0.0.1
  ${tls ?? ""}
  ${log === null ? "" : `log {\n    output file ${log} {\n      roll_disabled\n    }\n    format json\n  }`}
  reverse_proxy ${origin} {
    ${away ? "lb_try_duration 30s\n    lb_try_interval 10ms" : ""}
    transport http {
      compression off
      keepalive_idle_conns_per_host 1024
    }
  }
}
`;
    const config = writeConfig(folder, `caddy-${port}.txt`, text);
    return {
      command: ["caddy", "run", "--adapter", "caddyfile", "--config", config],
      env: { GOMAXPROCS: "1", HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
    };
  },
};

export const PEERS: readonly Contender[] = [nginx, haproxy, caddy];

/** Writes a file into `folder`. @returns its path */
export function writeConfig(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
