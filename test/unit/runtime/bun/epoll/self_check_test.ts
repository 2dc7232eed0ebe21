/** The check of system calls that decides whether `sockets: auto` is epoll. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import process from "node:process";
import { type EpollParts, SystemCalls } from "../../../../../runtime/bun/epoll/calls.ts";
import { type Libc, openSocketLibc } from "../../../../../runtime/bun/epoll/libc.ts";
import { ERRNO, LAYOUTS } from "../../../../../runtime/bun/epoll/numbers.ts";
import { selfCheck } from "../../../../../runtime/bun/epoll/self_check.ts";
import { epollTest } from "../../../../support/epoll.ts";
import { every, Faults } from "../../../../support/faulty_libc.ts";
import { RedZones, wrapped } from "../../../../support/red_zones.ts";

/** Every call of `Libc` that a connection depends on. */
const CALLS: readonly (keyof Libc)[] = [
  "socket",
  "bind",
  "listen",
  "accept4",
  "connect",
  "recv",
  "send",
  "shutdown",
  "getsockopt",
  "setsockopt",
  "getsockname",
  "getpeername",
  "fcntl",
  "inet_pton",
  "epoll_create1",
  "epoll_ctl",
  "epoll_wait",
];

/** More would take longer than a millisecond on a slow machine. */
const MOST_CALLS = 64;

function check(change: (parts: EpollParts) => EpollParts): string | null {
  const libc = openSocketLibc();
  const layout = LAYOUTS[process.arch];
  if (libc === null || layout === undefined) throw new Error("the capability promises both");
  const memory = new RedZones();
  const parts = change({ libc: memory.guard(libc), memory, layout, longestWaitMs: 1 });
  const result = selfCheck(new SystemCalls(parts), memory.keep(1024));
  memory.verify();
  return result;
}

function withFaults(act: (faults: Faults) => void): { result: string | null; calls: number } {
  const faults = new Faults();
  act(faults);
  const result = check((parts) => ({ ...parts, libc: faults.libc(parts.libc, parts.memory) }));
  return { result, calls: faults.calls };
}

epollTest("self-check: passes here, makes each call, and few of them", async () => {
  const made = new Set<keyof Libc>();
  const { result, calls } = withFaults((faults) =>
    faults.arm((name) => {
      made.add(name);
      return null;
    })
  );
  assert.equal(result, null);
  assert.ok(calls <= MOST_CALLS, `${calls} calls`);
  assert.deepEqual(CALLS.filter((name) => !made.has(name)), []);
});

for (const name of CALLS) {
  epollTest(`self-check: ${name} that is forbidden is named`, async () => {
    const before = readdirSync("/proc/self/fd").length;
    const { result } = withFaults((faults) => faults.arm(every(name, { errno: ERRNO.EPERM })));
    assert.match(result ?? "it passed", /EPERM|EAFNOSUPPORT/);
    assert.equal(readdirSync("/proc/self/fd").length, before, "all descriptors are closed again");
  });
}

epollTest("self-check: the layout of another processor is not taken for ours", async () => {
  for (const [arch, layout] of Object.entries(LAYOUTS)) {
    const result = check((parts) => ({ ...parts, layout }));
    if (arch === process.arch) assert.equal(result, null);
    else assert.match(result ?? "it passed", /^epoll_wait: /);
  }
});

epollTest("self-check: calls that succeed and do nothing, or something else, are noticed", async () => {
  const oddities: readonly (readonly [string, keyof Libc, (...args: number[]) => number])[] = [
    ["bytes that do not arrive", "recv", () => 4],
    ["events that never come", "epoll_wait", () => 0],
    ["a count of events too high", "epoll_wait", () => 3],
    ["a name that is nowhere", "getsockname", () => 0],
    ["a listener that is somewhere else", "inet_pton", () => 1],
  ];
  for (const [what, name, odd] of oddities) {
    const libc = (real: Libc) =>
      wrapped(real, (called, call, args) => called === name ? odd(...args) : call(...args));
    assert.notEqual(check((parts) => ({ ...parts, libc: libc(parts.libc) })), null, what);
  }
});
