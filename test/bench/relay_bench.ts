/**
 * What relaying a body costs above the sockets: `bun test/bench/relay_bench.ts`. Pieces are handed to one
 * connection and counted at the other, so no system call and no copy of the kernel's is in the figures.
 * Prints the least of several rounds: nanoseconds and writes a piece, and the bytes per second of our own code alone (enormous where no byte is
 * touched).
 */

import type { Socket } from "../../runtime/contract/contract.ts";
import { buildSnapshot } from "../../src/process/worker/snapshot.ts";
import { loadConfig } from "../../src/config/load_config.ts";
import { Gateway } from "../../src/gateway/gateway.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { CountingRuntime, type CountingSocket } from "./counting_socket.ts";

const ROUNDS = 60;
const KIB = 1024;
/** Bytes of one body. */
const BODY_BYTES = 64 * KIB * KIB;
/** An endpoint that says so is trusted with a POST on a connection that has served before. */
const ANSWER = bytes("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

interface Relayed {
  readonly ms: number;
  readonly writes: number;
}

interface Pair {
  readonly client: CountingSocket;
  readonly upstream: CountingSocket;
}

/** A client's connection, and one to the endpoint that has served it once. */
async function connectedPair(): Promise<Pair> {
  const loaded = loadConfig({ flags: { to: ["127.0.0.1:3000"] }, env: {}, file: null });
  if (!loaded.ok) throw new Error("configuration");
  const runtime = new CountingRuntime();
  const { snapshot } = await buildSnapshot(runtime, new MemorySystem(), loaded.config, {
    exchangeDone() {},
    tunnelOpened() {},
    tunnelClosed() {},
    endpointDown() {},
    endpointUp() {},
  });
  const gateway = new Gateway(runtime, snapshot, { answeredLocally() {}, acceptFailed() {} });
  await gateway.listen({
    address: { kind: "tcp", host: "127.0.0.1", port: 8080 },
    backlog: 1,
    reusePort: false,
    tls: null,
    handshakeTimeoutMs: 1,
  });
  const client = runtime.connectClient();
  client.events.data(bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
  const upstream = runtime.open();
  upstream.events.data(ANSWER);
  return { client, upstream };
}

/** A piece as a socket would hand it over, in a chunk of the chunked coding or bare. */
function piece(size: number, framing: Framing, perPiece: number): Uint8Array {
  const content = "x".repeat(size / perPiece);
  const text = framing === "length" ? content : `${content.length.toString(16)}\r\n${content}\r\n`;
  return bytes(text.repeat(perPiece));
}

type Framing = "length" | "chunked";

interface Bench {
  readonly name: string;
  readonly direction: "down" | "up";
  readonly framing: Framing;
  /** Bytes that a socket hands over at a time. */
  readonly size: number;
  /** Chunks of the chunked coding in them. */
  readonly chunks?: number;
}

function headers(framing: Framing): string {
  return framing === "length"
    ? `Content-Length: ${BODY_BYTES}\r\n\r\n`
    : "Transfer-Encoding: chunked\r\n\r\n";
}

/** The pieces of one body; head and end are not in the figures. */
function relayOnce(from: Socket, to: CountingSocket, data: Uint8Array, count: number): Relayed {
  const { written: before, writes } = to;
  const begun = performance.now();
  for (let i = 0; i < count; i++) from.events.data(data);
  const ms = performance.now() - begun;
  if (to.written - before < BODY_BYTES) throw new Error(`only ${to.written - before} bytes went on`);
  return { ms, writes: to.writes - writes };
}

async function bench({ name, direction, framing, size, chunks = 1 }: Bench): Promise<void> {
  const { client, upstream } = await connectedPair();
  const data = piece(size, framing, chunks);
  const count = BODY_BYTES / size;
  const last = framing === "chunked" ? bytes("0\r\n\r\n") : null;
  const ask = bytes(
    direction === "down"
      ? "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
      : "POST / HTTP/1.1\r\nHost: a\r\n" + headers(framing),
  );
  const answer = bytes("HTTP/1.1 200 OK\r\n" + headers(framing));
  let least: Relayed = { ms: Infinity, writes: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    const asked = upstream.writes;
    client.events.data(ask);
    if (direction === "down") {
      upstream.events.data(answer);
      least = lesser(least, relayOnce(upstream, client, data, count));
      if (last !== null) upstream.events.data(last);
    } else {
      least = lesser(least, relayOnce(client, upstream, data, count));
      if (last !== null) client.events.data(last);
      const answered = client.writes;
      upstream.events.data(ANSWER);
      if (client.writes === answered) throw new Error("no answer");
    }
    if (upstream.writes === asked || client.dropped || upstream.dropped) throw new Error("cut");
  }
  const nanos = ((least.ms * 1e6) / count).toFixed(0).padStart(8);
  const writes = (least.writes / count).toFixed(1).padStart(5);
  const rate = (BODY_BYTES / 1000 / least.ms).toFixed(0).padStart(10);
  console.log(`${name.padEnd(48)}${nanos} ns a piece${writes} writes${rate} MB/s`);
}

function lesser(a: Relayed, b: Relayed): Relayed {
  return b.ms < a.ms ? b : a;
}

for (const direction of ["down", "up"] as const) {
  const way = direction === "down" ? "response" : "request";
  for (const size of [64 * KIB, KIB * KIB]) {
    const text = size === KIB * KIB ? "1 MiB" : "64 KiB";
    await bench({ name: `${way}, length, pieces of ${text}`, direction, framing: "length", size });
    await bench({ name: `${way}, a chunk in each piece of ${text}`, direction, framing: "chunked", size });
    const chunks = size / (4 * KIB);
    await bench({
      name: `${way}, chunks of 4 KiB in pieces of ${text}`,
      direction,
      framing: "chunked",
      size,
      chunks,
    });
  }
}
