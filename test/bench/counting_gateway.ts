/** A gateway without a network under it: what it sends to clients and endpoints is only counted. */

import { loadConfig, type Sources } from "../../src/config/load_config.ts";
import { newExchangeRecord } from "../../src/exchange/exchange_record.ts";
import { Gateway } from "../../src/gateway/gateway.ts";
import { ExchangeCounters } from "../../src/observe/exchange_counters.ts";
import { buildSnapshot } from "../../src/process/worker/snapshot.ts";
import { MemorySystem } from "../support/memory_system.ts";
import { CountingRuntime } from "./counting_socket.ts";

/**
 * Listens. Its requests are counted as in the program.
 *
 * @param flags as on the command line
 * @param forward clients may ask for any destination
 */
export async function countingGateway(flags: Sources["flags"], forward: boolean): Promise<CountingRuntime> {
  const loaded = loadConfig({ flags, env: {}, file: null });
  if (!loaded.ok) throw new Error("configuration");
  const runtime = new CountingRuntime();
  const counters = new ExchangeCounters();
  const record = newExchangeRecord();
  const { snapshot } = await buildSnapshot(runtime, new MemorySystem(), loaded.config, {
    exchangeDone(exchange) {
      record.status = exchange.status;
      record.totalMs = exchange.endedAt - exchange.beganAt;
      counters.record(record, exchange.route, exchange.source, exchange.answeredBy);
    },
    tunnelOpened() {},
    tunnelClosed() {},
    endpointDown() {},
    endpointUp() {},
  });
  const gateway = new Gateway(runtime, snapshot, { answeredLocally() {}, acceptFailed() {} });
  const address = { kind: "tcp", host: "127.0.0.1", port: 8080 } as const;
  await gateway.bind(
    { address, backlog: 1, reusePort: false, tls: null, handshakeTimeoutMs: 1 },
    forward,
  );
  return runtime;
}

/** The bytes of a message. */
export function bytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
