/** Options about endpoints: how requests are held, chosen for, retried and sent. */

import { credentialName } from "../values/credential_types.ts";
import type { OptionTable } from "./option.ts";
import { duration, durationOrAuto, size, sizeOrAuto } from "../values/quantity.ts";
import { hostHeader, methods, retryConditions, serverName } from "../values/special_types.ts";
import { boolean, count, oneOf, path } from "../values/value_type.ts";

export const UPSTREAM_OPTIONS = {
  "hold": {
    group: "Holding and queueing",
    scope: "upstream",
    type: duration("0", "1d"),
    default: "30s",
    help: "how long a request waits for an endpoint to return",
    doc:
      "While no endpoint can be reached, requests wait in order of arrival, and go on as soon as one is back. " +
      "Then it is answered with 503. Only time without an endpoint counts, not what the request has waited in the queue " +
      "before. `0` holds nothing. While an upstream is paused on purpose, requests wait for 30 s at least, whatever is said " +
      "here, counted from the beginning of the pause or their arrival; at the end of the pause the time begins anew.",
    example: "1m",
  },
  "hold_interval": {
    group: "Holding and queueing",
    scope: "upstream",
    type: durationOrAuto("1ms", "1m"),
    default: "auto",
    help: "pause between dials to an endpoint that is down",
    doc: "`auto` dials often at first and less often the longer the endpoint stays down.",
    example: "10ms",
  },
  "max_in_flight": {
    group: "Holding and queueing",
    scope: "upstream",
    type: count(0, 1_000_000),
    default: "0",
    help: "requests an endpoint serves at a time; 0 = any",
    doc: "Strict: further requests wait in the queue. 1 is for a backend that can only serve one at a time.",
    example: "1",
  },
  "queue.size": {
    group: "Holding and queueing",
    scope: "upstream",
    type: count(0, 1_000_000),
    default: "10000",
    help: "most requests waiting, held ones included",
    doc: "A further one is answered with 503 `queue_full`.",
    example: "100",
  },
  "queue.bytes": {
    group: "Holding and queueing",
    scope: "upstream",
    type: size("0", "64GiB"),
    default: "64MiB",
    help: "most bytes of bodies of waiting requests",
    doc:
      "Bodies are read ahead up to `request_buffer` each; this bounds all of them together. Those that are still being read may " +
      "fill half of it; beyond that, bodies are streamed as larger ones are. What it leaves holds copies of bodies that were sent, for " +
      "sending them again. Bodies that scripts have share as much once more.",
    example: "256MiB",
  },
  "queue.timeout": {
    group: "Holding and queueing",
    scope: "upstream",
    type: duration("0", "1d"),
    default: "30s",
    help: "how long a request waits for a free slot",
    doc:
      "For requests that wait because `max_in_flight` is reached, while an endpoint can be reached; outages and pauses do " +
      "not count. `0` turns requests away that find no free slot when they arrive. Requests that have been held, or are " +
      "sent again, may wait for one as long as `hold`, 30 s at least.",
    example: "10s",
  },
  "request_buffer": {
    group: "Holding and queueing",
    scope: "upstream",
    type: size("0", "16MiB"),
    default: "64KiB",
    help: "bodies up to this size are read before sending",
    doc:
      "A request whose body is not larger is complete before it takes an endpoint's slot, so that a slow client " +
      "does not occupy it, and the request can be sent again. Larger bodies are streamed, and so are those of unknown " +
      "length (chunked) where there is no `max_in_flight`; with it, set this to 0 if clients want answers before they have " +
      "sent all.",
    example: "1MiB",
  },
  "policy": {
    group: "Choosing and retrying",
    scope: "upstream",
    type: oneOf("round_robin", "least_conn", "random"),
    default: "round_robin",
    help: "round_robin, least_conn or random",
    doc:
      "Which endpoint gets the next request. All three respect `weight`; `least_conn` takes the one with the " +
      "fewest requests in flight.",
    example: "least_conn",
  },
  "each_address": {
    group: "Choosing and retrying",
    scope: "upstream",
    type: boolean(),
    default: "false",
    help: "each address of a name is an endpoint",
    doc:
      "With `true` the addresses of an endpoint's name become endpoints of their own, which `policy` chooses among, and " +
      "follow the name as it changes. With `false` a name is one endpoint, and each connection is opened to the first of its " +
      "addresses that answers. TLS and `host_header: endpoint` name the host in either case.",
    example: "true",
  },
  "retry.mode": {
    group: "Choosing and retrying",
    scope: "upstream",
    type: oneOf("idempotent", "unanswered", "off"),
    default: "idempotent",
    alias: "retry",
    help: "idempotent, unanswered or off",
    doc:
      "Which requests may be sent again when the connection failed after they were sent. `idempotent`: those " +
      "with one of `retry.methods`. `unanswered`: any request of which no byte of a response has arrived; only for backends " +
      "where doing a thing twice does no harm. `off`: none. Requests that were not sent at all are held in any case.",
    example: "unanswered",
  },
  "retry.on": {
    group: "Choosing and retrying",
    scope: "upstream",
    type: retryConditions(),
    default: "reset",
    help: "what to retry after: reset, timeout, 502, 503, 504",
    doc:
      "`reset`: the connection ended before a response began. `timeout`: no response began within `first_byte_timeout`. " +
      "`502`, `503`, `504`: the endpoint answered that. About a request that was not sent, because no connection could be " +
      "opened, `hold` decides alone.",
    example: "[reset, 503]",
  },
  "retry.methods": {
    group: "Choosing and retrying",
    scope: "upstream",
    type: methods(),
    default: "GET,HEAD,OPTIONS,TRACE,PUT,DELETE",
    help: "methods that may be sent again",
    doc: "The default is the idempotent methods of RFC 9110 §9.2.2.",
    example: "[GET, HEAD]",
  },
  "retry.tries": {
    group: "Choosing and retrying",
    scope: "upstream",
    type: count(0, 100),
    default: "0",
    help: "attempts in all; 0 = until hold ends",
    doc: "The first attempt included, so that 1 never retries.",
    example: "3",
  },
  "retry.unanswered_tries": {
    group: "Choosing and retrying",
    scope: "upstream",
    type: count(0, 100),
    default: "3",
    help: "attempts that may end without an answer; 0 = any",
    doc:
      "Bounds what one request can do that crashes the endpoint that gets it: after so many attempts that were sent and ended " +
      "without an answer it is answered with 502 or 504. From the second one on, other requests that wait go first. The second one " +
      "does not count if the endpoint has shown no sign of life since the first: a process that is killed may take a connection, " +
      "and reset it, after it has reset others, so that both are one end. With 1, the loss " +
      "of a pooled connection, which may have been closed already, is followed by one more attempt all the same. " +
      "After the loss of a new connection the next one, unless another endpoint is up, has to stand open for 25 ms to 4 s before the request is sent on it: a port " +
      "that accepts connections and drops them while what is behind it is down (a container's, a tunnel's) drops it before, which " +
      "counts as a refused connection. A port that drops connections only after it has read a request cannot be told from a " +
      "crash: with 0 requests are held for that as well, and nothing but `hold` bounds one that crashes its endpoint.",
    example: "5",
  },
  "connect_timeout": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: duration("1ms", "10m"),
    default: "5s",
    help: "longest time to open a connection, TLS included",
    doc: "Look-up of the name, connection and TLS handshake together.",
    example: "1s",
  },
  "first_byte_timeout": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: duration("1ms", "7d"),
    default: "60s",
    help: "longest wait for a response to begin",
    doc: "Counts from the end of sending the request; then the client gets 504.",
    example: "5m",
  },
  "body_idle_timeout": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: duration("1ms", "7d"),
    default: "60s",
    help: "longest pause within a body, either direction",
    doc:
      "An idle timer: a body may take as long as it likes while bytes arrive. The value at the top level also " +
      "holds on the client's side.",
    example: "10s",
  },
  "body_rate": {
    group: "Holding and queueing",
    scope: "upstream",
    type: sizeOrAuto("0", "1GiB"),
    default: "auto",
    help: "least bytes a second from and to a client; 0 = any",
    doc:
      "A client that sends a request body, or takes a response, more slowly than that holds up others where slots are few. " +
      "It is measured over spans of the top level's `body_idle_timeout`: with 240 B and 60 s, 14,400 bytes must move in every 60 s in which " +
      "Sluice waits for the client. A request that is too slow gets 408 `client_timeout`, a response ends with " +
      "`client_write_timeout`. `auto` is 240 B with `max_in_flight`, else 0.",
    example: "1KiB",
  },
  "tunnel_idle_timeout": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: duration("1ms", "7d"),
    default: "1h",
    help: "longest silence of an upgraded connection",
    doc: "For WebSockets and other upgraded connections, both directions together.",
    example: "10m",
  },
  "pool.size": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: count(0, 100_000),
    default: "1024",
    help: "idle connections kept for each endpoint",
    doc: "`0` opens a connection for each request.",
    example: "32",
  },
  "pool.idle_timeout": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: duration("1ms", "1d"),
    default: "60s",
    help: "how long an idle connection is kept",
    doc: "A shorter `Keep-Alive: timeout=` of the endpoint is respected.",
    example: "4s",
  },
  "pool.max_age": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: duration("0", "7d"),
    default: "1h",
    help: "a connection older than this is not reused; 0 = any",
    doc:
      "For machines in between that forget long connections. When a name gets other addresses no connection to the old " +
      "ones is reused, whatever its age: names are looked at again when their time to live is over, after 30 s at the latest.",
    example: "10m",
  },
  "host_header": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: hostHeader(),
    default: "pass",
    help: "Host sent on: pass, endpoint, or a fixed name",
    doc:
      "`pass` sends what the client sent, `endpoint` the endpoint's own address, anything else is sent as it is.",
    example: "app.internal",
  },
  "credential": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: credentialName(),
    default: null,
    help: "credential to send to endpoints (see credentials)",
    doc:
      "Name of an entry of `credentials`. Requests whose clients send no Authorization of their own are sent with it: Basic and " +
      "Bearer at once, the other schemes when the endpoint asks (401), which the client does not see. It goes to `https://` " +
      "endpoints and to this machine; anywhere else only if its entry says `cleartext: true`.",
    example: "corp",
  },
  "upstream_tls.verify": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: boolean(),
    default: "true",
    help: "check certificates of https:// endpoints",
    doc:
      "`false` accepts any certificate: then anybody between here and the endpoint can read and change everything.",
    example: "false",
  },
  "upstream_tls.ca": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: path(),
    default: null,
    help: "authorities to trust instead of the system's (PEM)",
    doc: "File with the certificates of the only authorities that are trusted for this upstream.",
    example: "/etc/sluice/ca.pem",
  },
  "upstream_tls.server_name": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: serverName(),
    default: null,
    help: "name expected in certificates (SNI)",
    doc: "The default is the host of the endpoint's address.",
    example: "app.internal",
  },
  "upstream_tls.cert": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: path(),
    default: null,
    help: "client certificate for https:// endpoints (PEM)",
    doc:
      "File with a certificate to show to endpoints, and its chain, as in `tls.cert`; needs `upstream_tls.key`. A reload " +
      "reads it anew, for connections that are opened from then on.",
    example: "/etc/sluice/client.pem",
  },
  "upstream_tls.key": {
    group: "Connections to endpoints",
    scope: "upstream",
    type: path(),
    default: null,
    help: "private key of the client certificate (PEM)",
    doc: "File with the private key of `upstream_tls.cert`.",
    example: "/etc/sluice/client.key",
  },
} as const satisfies OptionTable;
