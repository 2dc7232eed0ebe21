/** Forward proxies: Sluice, Squid and tinyproxy. None of them keeps answers, looks names up or writes a log here. */

import type { SluiceCommand } from "./bench_candidate.ts";
import { CONNECTIONS, type Contender, writeConfig } from "./bench_contender.ts";

const squid: Contender = {
  name: "squid",
  kind: "peer",
  program: "squid",
  launch: ({ port, folder }) => {
    // Started by root it goes on as another user, to whom our folder is closed.
    const text = `
http_port 127.0.0.1:${port}
http_access allow localhost
http_access deny all
cache deny all
cache_mem 8 MB
memory_pools on
memory_pools_limit 5 MB
access_log none
cache_store_log none
cache_log /dev/null
pid_filename none
netdb_filename none
coredump_dir none
pinger_enable off
visible_hostname bench
max_filedescriptors ${2 * CONNECTIONS + 1000}
shutdown_lifetime 0 seconds
client_idle_pconn_timeout 1 hour
server_idle_pconn_timeout 1 hour
`;
    return { command: ["squid", "-N", "-f", writeConfig(folder, `squid-${port}.conf`, text)] };
  },
};

const tinyproxy: Contender = {
  name: "tinyproxy",
  kind: "peer",
  program: "tinyproxy",
  launch: ({ port, folder }) => {
    const text = `
Port ${port}
Listen 127.0.0.1
Allow 127.0.0.1
MaxClients ${CONNECTIONS}
Timeout 3600
LogLevel Critical
LogFile "${folder}/tinyproxy-${port}.log"
`;
    return { command: ["tinyproxy", "-d", "-c", writeConfig(folder, `tinyproxy-${port}.conf`, text)] };
  },
};

export const FORWARD_PEERS: readonly Contender[] = [squid, tinyproxy];

/** @param sockets for `--sockets` */
export function forwardSluice({ name, command }: SluiceCommand, sockets: string): Contender {
  return {
    name,
    kind: "subject",
    launch: ({ port }) => ({
      command: ["sh", "-c", `exec ${command} --forward 127.0.0.1:${port} --sockets ${sockets}`],
    }),
  };
}
