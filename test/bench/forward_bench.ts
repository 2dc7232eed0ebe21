/**
 * What a request in absolute form costs above the sockets, beside the same request through a gateway:
 * `bun test/bench/forward_bench.ts`. The rows take turns, so that a busy machine is busy for all of them; printed are the least of
 * the turns, in nanoseconds per request, and what a row takes more than the one of the gateway that it belongs to.
 */

import { bytes, countingGateway } from "./counting_gateway.ts";
import type { CountingSocket } from "./counting_socket.ts";

const TURNS = 300;
const REQUESTS = 2000;
/** More than the memos of a codec hold: none of these requests is recognised. */
const MANY_PATHS = 4096;
const SOME_HOSTS = 16;

interface Row {
  readonly name: string;
  readonly client: CountingSocket;
  readonly requests: readonly { readonly bytes: Uint8Array; readonly upstream: CountingSocket }[];
  /** The request that is next. */
  at: number;
  least: number;
}

const ANSWER = bytes(
  "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" +
    "Content-Type: text/plain\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n",
);

/** @param asked hosts with their ports, and paths */
async function row(
  name: string,
  flags: Record<string, readonly string[]>,
  asked: readonly (readonly [host: string, path: string])[],
  fields = "",
): Promise<Row> {
  const forward = "forward" in flags;
  const runtime = await countingGateway(flags, forward);
  const client = runtime.connectClient();
  const upstreams = new Map<string, CountingSocket>();
  const requests: { bytes: Uint8Array; upstream: CountingSocket }[] = [];
  for (const [host, path] of asked) {
    const request = bytes(
      `GET ${forward ? `http://${host}` : ""}${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}\r\n`,
    );
    client.events.data(request);
    const destination = forward ? host : "";
    const upstream = upstreams.get(destination) ?? runtime.open();
    upstreams.set(destination, upstream);
    upstream.events.data(ANSWER);
    requests.push({ bytes: request, upstream });
  }
  return { name, client, requests, at: 0, least: Infinity };
}

function takeTurn(row: Row): void {
  const { client, requests } = row;
  const { writes } = client;
  let { at } = row;
  const begun = performance.now();
  for (let i = 0; i < REQUESTS; i++) {
    const request = requests[at] as Row["requests"][number];
    at = at + 1 < requests.length ? at + 1 : 0;
    client.events.data(request.bytes);
    request.upstream.events.data(ANSWER);
  }
  row.least = Math.min(row.least, ((performance.now() - begun) * 1e6) / REQUESTS);
  row.at = at;
  if (client.writes - writes !== REQUESTS) throw new Error(`${row.name}: ${client.writes - writes} answers`);
}

const TO = { to: ["127.0.0.1:3000"] };
const FORWARD = { forward: ["127.0.0.1:8080"] };
const LITERAL = "127.0.0.1:3000";
const NAME = "www.example.org";
const one = (host: string) => [[host, "/small"] as const];
const paths = Array.from({ length: MANY_PATHS }, (_, at) => [NAME, `/some/page/${at}?with=query`] as const);
const hosts = Array.from({ length: SOME_HOSTS }, (_, at) => [`host${at}.example.org`, "/small"] as const);
const lists = { allow: ["*"], deny: [".example.com", "10.0.0.0/8", "203.0.113.9"] };

const GROUPS: readonly (readonly Row[])[] = [
  [
    await row("gateway: the same request", TO, one(LITERAL)),
    await row("forward: the same, of an address", FORWARD, one(LITERAL)),
    await row("forward: the same, of a name", FORWARD, one(NAME)),
    await row("forward: the same, with lists", { ...FORWARD, ...lists }, one(NAME)),
  ],
  [
    await row("gateway: a path for each", TO, paths),
    await row("forward: a path for each", FORWARD, paths),
  ],
  [
    await row(`gateway: ${SOME_HOSTS} hosts`, TO, hosts),
    await row(`forward: ${SOME_HOSTS} hosts`, FORWARD, hosts),
  ],
];

for (let turn = 0; turn < TURNS; turn++) for (const rows of GROUPS) rows.forEach(takeTurn);
for (const [gateway, ...others] of GROUPS) {
  for (const { name, least } of gateway === undefined ? [] : [gateway, ...others]) {
    const more = least - (gateway?.least ?? least);
    console.log(
      `${name.padEnd(34)} ${least.toFixed(0).padStart(6)} ns ${
        more === 0 ? "" : `+${more.toFixed(0)}`.padStart(7)
      }`,
    );
  }
}
