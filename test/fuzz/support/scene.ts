/** What the actors of a case share. */

import type { FakeClock } from "../../support/fake_clock.ts";
import type { MemoryNetwork, MemoryRuntime } from "../../support/memory_runtime.ts";
import type { Random } from "./random.ts";
import type { PlannedRequest } from "./requests.ts";

/**
 * - `calm`: everybody behaves, endpoints may go away for a while; every request has to be answered 2xx
 * - `wild`: anything goes
 */
export type Mood = "calm" | "wild";

/**
 * What a case is rich in, besides everything else:
 * - `tunnels`: upgrades
 * - `jumpy`: endpoints that reset connections just after an answer
 * - `flood`: pipelined requests of clients that do not read, large answers, many interim responses
 * - `extra`: more bytes than the response
 */
export type Flavour = "mixed" | "tunnels" | "jumpy" | "flood" | "extra";

export interface Scene {
  readonly mood: Mood;
  readonly flavour: Flavour;
  readonly random: Random;
  readonly network: MemoryNetwork;
  readonly clock: FakeClock;
  /** Of clients and origins; Sluice has its own on the same network. */
  readonly runtime: MemoryRuntime;
  readonly requests: Map<string, PlannedRequest>;
  /** Methods that may be sent again whatever the request says. */
  readonly repeatableMethods: readonly string[];
  /** Origins ask for credentials, which Sluice has; "" = they do not. A request that was challenged has not been acted on. */
  readonly challenges: "" | "basic" | "digest" | "ntlm";
  /** Any request may be sent again while it is unanswered. */
  readonly unanswered: boolean;
  /** Attempts in all, 0 = any number. */
  readonly tries: number;
  /** What is written in one call arrives in one piece. */
  readonly whole: boolean;
  /** Most content bytes of a response. */
  readonly mostContent: number;
  /** Bytes that each side says in a tunnel. */
  readonly tunnelBytes: number;
  /** What a client hears through a tunnel that it has asked for by CONNECT. */
  readonly destinationSays: Uint8Array;
  /** Requests altered at random are about: ids that nobody planned may turn up. */
  readonly hasWild: boolean;
  /** Sluice has been told to stop: it need not let anybody in. */
  stopping: boolean;
  trace(who: string, what: string): void;
}

/** Somebody who does one thing at a time when asked to. */
export interface Actor {
  /** It can do something now. */
  readonly ready: boolean;
  act(): void;
}
