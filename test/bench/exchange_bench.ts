/**
 * What one request costs above the sockets: `bun test/bench/exchange_bench.ts`. Requests and responses are
 * handed to the connections as bytes, and what they write is only counted, so no system call is in the
 * figures. Prints the least of several rounds, in nanoseconds per request.
 */

import { bytes, countingGateway } from "./counting_gateway.ts";
import type { CountingRuntime, CountingSocket } from "./counting_socket.ts";

const ROUNDS = 12;
const REQUESTS = 100_000;

interface Bench {
  readonly runtime: CountingRuntime;
  readonly client: CountingSocket;
  readonly upstream: CountingSocket;
}

async function setUp(): Promise<Bench> {
  const runtime = await countingGateway({ to: ["127.0.0.1:3000"] }, false);
  const client = runtime.connectClient();
  client.events.data(bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  const upstream = runtime.open();
  // An endpoint that says so is trusted with a POST on a connection that has served before.
  upstream.events.data(bytes("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"));
  return { runtime, client, upstream };
}

async function bench(name: string, request: string, response: string): Promise<void> {
  const { client, upstream } = await setUp();
  const asked = bytes(request);
  const answered = bytes(response);
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const writes = client.writes;
    const begun = performance.now();
    for (let i = 0; i < REQUESTS; i++) {
      client.events.data(asked);
      upstream.events.data(answered);
    }
    least = Math.min(least, ((performance.now() - begun) * 1e6) / REQUESTS);
    if (client.writes - writes !== REQUESTS) throw new Error(`${client.writes - writes} answers`);
  }
  console.log(`${name.padEnd(28)} ${least.toFixed(0).padStart(7)} ns`);
}

/** More heads than anything remembers. */
const DIFFERENT = 20_000;

/** The same with heads no two of which are equal. */
async function benchVaried(name: string, requests: readonly string[], response: string): Promise<void> {
  const { client, upstream } = await setUp();
  const asked = requests.map(bytes);
  const answered = bytes(response);
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const begun = performance.now();
    for (let i = 0; i < REQUESTS; i++) {
      client.events.data(asked[i % DIFFERENT] as Uint8Array);
      upstream.events.data(answered);
    }
    least = Math.min(least, ((performance.now() - begun) * 1e6) / REQUESTS);
  }
  console.log(`${name.padEnd(28)} ${least.toFixed(0).padStart(7)} ns`);
}

/** The same with a connection for each request, from its acceptance to its end. */
async function benchClose(name: string, request: string, response: string): Promise<void> {
  const { runtime, upstream } = await setUp();
  const asked = bytes(request);
  const answered = bytes(response);
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const begun = performance.now();
    for (let i = 0; i < REQUESTS; i++) {
      const client = runtime.connectClient();
      client.events.data(asked);
      upstream.events.data(answered);
      if (!client.dropped) throw new Error("still open");
      client.tellClosed();
    }
    least = Math.min(least, ((performance.now() - begun) * 1e6) / REQUESTS);
  }
  console.log(`${name.padEnd(28)} ${least.toFixed(0).padStart(7)} ns`);
}

const small = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n" +
  "Content-Type: text/plain\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n";
const browser = [
  "GET /some/page?with=query HTTP/1.1",
  "Host: www.example.org",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0 Safari/537.36",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
  "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Referer: https://www.example.org/some/page?with=query",
  "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes",
  "Sec-Fetch-Dest: document",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-Site: same-origin",
  "Cache-Control: max-age=0",
].join("\r\n") + "\r\n\r\n";
const kib = small.replace("Content-Length: 3", "Content-Length: 1024").slice(0, -3) + "x".repeat(1024);
const chunked = small.replace("Content-Length: 3", "Transfer-Encoding: chunked").slice(0, -3) +
  "400\r\n" + "x".repeat(1024) + "\r\n0\r\n\r\n";

await bench("small request, 3 bytes back", "GET /0k HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n", small);
await bench("browser request, 1 KiB back", browser, kib);
const varied = Array.from({ length: DIFFERENT }, (_, n) => {
  const number = n.toString(16).padStart(8, "0");
  return browser.replace("with=query", `n=${n}`).replace("session=01234567", `session=${number}`);
});
await benchVaried("browser requests, all differ", varied, kib);
await bench("browser request, chunked", browser, chunked);
await bench(
  "POST of 100 bytes",
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + "x".repeat(100),
  small,
);
await benchClose(
  "a connection for each",
  "GET /0k HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\r\n",
  small,
);
