/** Options about clients, limits, logs and the process. */

import type { OptionTable } from "./option.ts";
import { duration, size } from "../values/quantity.ts";
import {
  cidrs,
  controlSocket,
  endpoints,
  listeners,
  logTarget,
  pseudonym,
  upgradeTokens,
} from "../values/special_types.ts";
import { boolean, count, countOrAuto, oneOf, path } from "../values/value_type.ts";

export const SERVER_OPTIONS = {
  "listen": {
    group: "Basics",
    scope: "server",
    type: listeners(),
    default: ":8080",
    help: "where to accept clients; repeatable",
    doc:
      "Addresses on which clients are accepted. `:8080` and `8080` mean all IPv4 interfaces, `[::]:8080` all " +
      "IPv6 ones, both together every interface (on Deno `[::]` alone takes both families), port 0 any free port (see " +
      "`port_file`). `https://:8443` speaks TLS with the certificate of `tls`.",
    example: '[":8080", "https://:8443"]',
  },
  "to": {
    group: "Basics",
    scope: "server",
    type: endpoints(),
    default: null,
    help: "endpoints that get all requests; repeatable",
    doc:
      "Short for an upstream named `default` with these endpoints, and a route that sends everything to it " +
      "which no other route takes. Names are looked up as /etc/hosts, /etc/resolv.conf and /etc/nsswitch.conf say (macOS and " +
      "Windows: by the system), and again when their time to live is over, after 30 s at the latest.",
    example: "3000",
  },
  "config": {
    group: "Basics",
    scope: "process",
    type: path(),
    default: null,
    outsideFile: true,
    help: "YAML file with the configuration",
    doc:
      "The file's keys are the names of this reference. Flags and environment variables override the file.",
    example: "sluice.yaml",
  },
  "tls.cert": {
    group: "Connections from clients",
    scope: "server",
    type: path(),
    default: null,
    help: "certificate chain for https:// listeners (PEM)",
    doc:
      "File with the certificate and its chain in PEM format, for all listeners written `https://…`: the certificate of " +
      "`tls.key` first, each issuer after what it has signed. A reload reads it anew: who connects then gets the new " +
      "one. Files that do not fit keep Sluice from starting (exit code 2) and a reload from counting; a certificate that " +
      "has expired and a chain with a gap are used, with a warning.",
    example: "/etc/sluice/cert.pem",
  },
  "tls.key": {
    group: "Connections from clients",
    scope: "server",
    type: path(),
    default: null,
    help: "private key for https:// listeners (PEM)",
    doc: "File with the private key of `tls.cert`.",
    example: "/etc/sluice/key.pem",
  },
  "head_timeout": {
    group: "Connections from clients",
    scope: "server",
    type: duration("1ms", "1h"),
    default: "30s",
    help: "longest time for a request's head to arrive",
    doc:
      "Counts from the first byte of a request (on a new connection: from its opening) to the end of the " +
      "header section, and does not start anew with every byte. After it the client gets 408.",
    example: "10s",
  },
  "keep_alive_timeout": {
    group: "Connections from clients",
    scope: "server",
    type: duration("1ms", "1d"),
    default: "75s",
    help: "how long an idle client connection is kept",
    doc: "Time without a request after which a client's connection is closed.",
    example: "20s",
  },
  "client_half_close": {
    group: "Connections from clients",
    scope: "server",
    type: oneOf("abort", "finish"),
    default: "abort",
    help: "client ends its sending side: abort or finish",
    doc:
      "What becomes of a request whose client closes its sending side (FIN, TLS close_notify) before it has the whole " +
      "response. TCP does not tell such a client from one that has left. `abort`: it has left, so the request ends with " +
      "`client_gone`, its connection to the endpoint is closed and its slot is free at once; but a response of known length that " +
      "has begun is sent to its end. `finish`: the request goes on, for clients that close their sending side and read on, like " +
      "`nc -N` and many small scripts. A request that is held or queued is given up in both cases. Holds for connections " +
      "that are accepted from now on.",
    example: "finish",
  },
  "trusted_proxies": {
    group: "Connections from clients",
    scope: "server",
    type: cidrs(),
    default: "",
    help: "peers whose Forwarded fields are believed (CIDR)",
    doc:
      "`Forwarded` and `X-Forwarded-*` fields are dropped unless the peer that sent them is in one of these " +
      "blocks. IPv4 clients are in IPv4 blocks only; `::ffff:10.0.0.0/104` is another way to write `10.0.0.0/8`.",
    example: "[10.0.0.0/8, ::1]",
  },
  "via": {
    group: "Connections from clients",
    scope: "server",
    type: pseudonym(),
    default: "sluice",
    help: "our name in Via and Proxy-Status",
    doc:
      "Give each of several proxies in a row its own name: a request that carries our name has come in a loop.",
    example: "edge-1",
  },
  "underscore_fields": {
    group: "Connections from clients",
    scope: "server",
    type: oneOf("drop", "pass", "reject"),
    default: "drop",
    help: "field names containing _: drop, pass or reject",
    doc:
      "Many applications read `X_Real_IP` and `X-Real-IP` as one name, so that a client could set what only a " +
      "proxy should.",
    example: "pass",
  },
  "upgrades": {
    group: "Connections from clients",
    scope: "server",
    type: upgradeTokens(),
    default: "websocket",
    help: "protocols a connection may be upgraded to",
    doc: "Other values of `Upgrade` are removed. An empty list allows none.",
    example: "[]",
  },
  "lenient_target": {
    group: "Connections from clients",
    scope: "server",
    type: boolean(),
    default: "false",
    help: "accept targets with raw UTF-8, and escape it",
    doc:
      "Bytes above 0x7F in a request's target, which some clients send unescaped, are escaped (`/é` becomes " +
      "`/%C3%A9`) instead of being answered with 400. Nothing else of the target changes. Routes, logs and endpoints " +
      "see the escaped one.",
    example: "true",
  },
  "lenient_upstream": {
    group: "Connections to endpoints",
    scope: "server",
    type: boolean(),
    default: "false",
    help: "accept slightly malformed responses",
    doc:
      "Field lines of responses with a space before the colon, folded over several lines, or ended by a bare " +
      "line feed are repaired instead of being answered with 502, and so are a `Content-Length` that is repeated " +
      "with the same value and `Transfer-Encoding: chunked, chunked`.",
    example: "true",
  },
  "backlog": {
    group: "Connections from clients",
    scope: "server",
    type: count(1, 65_535),
    default: "4096",
    help: "connections the kernel keeps until we accept",
    doc: "The kernel may cap it (`net.core.somaxconn`), and not every runtime lets it be set.",
    example: "512",
  },
  "max_head": {
    group: "Limits",
    scope: "server",
    type: size("1KiB", "1MiB"),
    default: "32KiB",
    help: "most bytes of a message head",
    doc: "Start line and header section together, of requests (431 beyond) and responses (502 beyond).",
    example: "64KiB",
  },
  "max_target": {
    group: "Limits",
    scope: "server",
    type: size("128B", "1MiB"),
    default: "8KiB",
    help: "most bytes of a request target",
    doc: "A longer one is answered with 414. RFC 9112 §3 asks for at least 8,000.",
    example: "16KiB",
  },
  "max_fields": {
    group: "Limits",
    scope: "server",
    type: count(1, 10_000),
    default: "100",
    help: "most field lines of a message",
    doc: "Counts the header section, and the trailer section on its own. 431 or 502 beyond.",
    example: "200",
  },
  "max_body": {
    group: "Limits",
    scope: "server",
    type: size("0", "1024TiB"),
    default: "0",
    help: "largest request body; 0 = no limit",
    doc: "A larger one is answered with 413.",
    example: "10MiB",
  },
  "max_connections": {
    group: "Limits",
    scope: "server",
    type: count(1, 10_000_000),
    default: "20000",
    help: "most client connections at a time",
    doc:
      "A further client gets 503. Each client may need a second connection to an endpoint: the limit on open " +
      "files (`ulimit -n`) should be above twice this number. Where it is below (on Linux), fewer clients are let in, so " +
      "that some files are left for endpoints.",
    example: "1000",
  },
  "access_log.format": {
    group: "Logs",
    scope: "process",
    type: oneOf("off", "json", "common", "combined"),
    default: "off",
    alias: "access_log",
    help: "off, json, common or combined",
    doc:
      "One line for each request when it has ended. `json` has everything (see below), `common` and `combined` " +
      "are the formats of the old web servers. In YAML `access_log: json` is short for `access_log: {format: json}`.",
    example: "json",
  },
  "access_log.to": {
    group: "Logs",
    scope: "process",
    type: logTarget(),
    default: "stdout",
    help: "stdout, stderr or the path of a file",
    doc: "A file is opened for appending, and opened anew at SIGUSR1.",
    example: "/var/log/sluice/access.log",
  },
  "log_level": {
    group: "Logs",
    scope: "process",
    type: oneOf("error", "warn", "info", "debug"),
    default: "info",
    help: "error, warn, info or debug",
    doc: "Least important lines that are written to standard error.",
    example: "debug",
  },
  "log_format": {
    group: "Logs",
    scope: "process",
    type: oneOf("text", "json"),
    default: "text",
    help: "text or json",
    doc: "Form of the lines on standard error.",
    example: "json",
  },
  "workers": {
    group: "Process",
    scope: "process",
    type: countOrAuto(1, 1024),
    default: "1",
    help: "processes that share the port; auto = one per core",
    doc:
      "More than one lets Sluice use several cores. A parent starts the workers, replaces one that ends, and " +
      "takes the signals; `ready_fd`, `port_file` and `pid_file` (with the parent's id) wait for all of them. " +
      "`max_in_flight` stays strict: its slots move between the workers. `max_connections`, `queue.size`, " +
      "`queue.bytes` and `pool.size` are divided among them, and the kernel deals connections out without looking " +
      "at that, so leave some room. Linux only; listeners must be TCP.",
    example: "auto",
  },
  "sockets": {
    group: "Process",
    scope: "process",
    type: oneOf("auto", "native", "epoll"),
    default: "auto",
    help: "epoll (faster, Linux), native, or auto: epoll if possible",
    doc:
      "With `epoll` Sluice makes the system calls for TCP and Unix sockets itself: less CPU time per request, above all with " +
      "many connections, and less memory for slow clients. TLS is as before. Needs the executable (or Bun) on Linux, x86-64 " +
      "or ARM64. `native` sockets are those of the platform that Sluice is built upon. `auto` tries the system calls at the " +
      "start, in less than a millisecond, and takes `epoll` when all of them do what they should, else `native`; " +
      "`sluice status` tells which, and why.",
    example: "native",
  },
  "watch": {
    group: "Process",
    scope: "process",
    type: boolean(),
    default: "false",
    help: "read the configuration anew when its file changes",
    doc:
      "Looks at the file of `config`, at the files of certificates, users and tokens that it names, and at all files of scripts but " +
      "those of packages, once a second. What changes " +
      "is what `sluice reload` and SIGHUP do: a file with problems changes nothing.",
    example: "true",
  },
  "drain_timeout": {
    group: "Process",
    scope: "server",
    type: duration("0", "1d"),
    default: "30s",
    help: "how long a stop waits for requests in flight",
    doc:
      "SIGTERM and SIGINT stop gracefully: nothing new is accepted, what is in flight ends, and what is left " +
      "after this time is cut off; the log says how many requests that were. A second signal, or `sluice stop --now`, " +
      "does not wait: the exit code is 1 if that drops requests (unless `exit_with_child` says otherwise), else 0.",
    example: "5s",
  },
  "control": {
    group: "Process",
    scope: "process",
    type: controlSocket(),
    default: null,
    help: "control socket for verbs like status; off = none",
    doc:
      "Path of the Unix socket that `sluice status`, `pause`, `swap` and the other verbs talk to; HTTP with JSON, so " +
      "that `curl --unix-socket` works as well. Nobody but our user (and root) can open it. Unless it is given: " +
      "`sluice-PORT.sock`, with the port of the first TCP listener, in `$XDG_RUNTIME_DIR`, or in `sluice-UID` in `$TMPDIR` " +
      "or `/tmp`; verbs look there by themselves. A socket left behind by a Sluice that is gone is replaced, one that " +
      "answers never is: then the default is left out with a warning, and a path that was given is exit code 3. " +
      "Where there are no Unix sockets it is a file that names a port of this machine and a secret.",
    example: "/run/sluice/control.sock",
  },
  "ready_fd": {
    group: "Process",
    scope: "process",
    type: count(1, 1023),
    default: null,
    help: "descriptor that gets READY=1 once we listen",
    doc:
      "When all listeners are bound the line `READY=1` is written to this descriptor, which is then closed " +
      "(unless it is standard output or error).",
    example: "3",
  },
  "port_file": {
    group: "Process",
    scope: "process",
    type: path(),
    default: null,
    help: "file that gets the port we listen on",
    doc:
      "One line for each listener; written in one step once all are bound, so that a script which chose port 0 can read it.",
    example: "/tmp/sluice.port",
  },
  "pid_file": {
    group: "Process",
    scope: "process",
    type: path(),
    default: null,
    help: "file that gets our process id",
    doc: "Written once all listeners are bound, removed at a graceful stop.",
    example: "/run/sluice.pid",
  },
} as const satisfies OptionTable;
