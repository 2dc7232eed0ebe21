/**
 * The in-memory runtime passes the same suite as the real adapters, as far as that needs no real loopback.
 * Chunks stay whole, since some scenarios send a short message and count on getting it in one piece.
 */
import { createClock } from "../../../runtime/shared/system.ts";
import { contractSuite } from "../../contract/suite.ts";
import { createMemoryRuntime } from "../../support/memory_runtime.ts";

for (const seed of [null, 1, 2]) {
  contractSuite({
    makeRuntime: (options) =>
      createMemoryRuntime({ ...options, clock: createClock(), autorun: true, seed, chunking: "whole" }),
    scenarios: ["sockets", "secure"],
  });
}
