/** What sockets over epoll are made with in all tests: memory with red zones, and a libc that can be made to fail. */
import type { EpollParts } from "../../runtime/bun/epoll/calls.ts";
import { Faults } from "./faulty_libc.ts";
import { RedZones } from "./red_zones.ts";

/** Of the loop of this process. */
export const faults = new Faults();

/** Null before there is a loop. */
export let redZones: RedZones | null = null;

export function testParts(parts: EpollParts): EpollParts {
  const memory = redZones ??= new RedZones();
  // Tests leave much for later: with the usual 50 ms they would mostly wait.
  return { ...parts, memory, libc: memory.guard(faults.libc(parts.libc, memory)), longestWaitMs: 1 };
}
