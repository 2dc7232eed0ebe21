/**
 * System calls of the epoll adapter that fail, one by one and at random. Whatever happens, no request is silently wrong,
 * none waits for ever, and the proxy serves on.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { duplicator } from "../../../../../runtime/bun/duplicate.ts";
import {
  type ReserveOptions,
  type SocketError,
  SocketFailure,
} from "../../../../../runtime/contract/contract.ts";
import type { Libc } from "../../../../../runtime/bun/epoll/libc.ts";
import { ERRNO, SO_LINGER } from "../../../../../runtime/bun/epoll/numbers.ts";
import { adapterFactory } from "../../../../support/adapter.ts";
import { epollTest } from "../../../../support/epoll.ts";
import { faults } from "../../../../support/epoll_parts.ts";
import { FaultScene, type Outcome } from "../../../../support/fault_scene.ts";
import { every, type Fault, nth, type Schedule } from "../../../../support/faulty_libc.ts";
import { OPTIONS } from "../../../../support/listen_options.ts";
import { TestProxy } from "../../../../support/proxy.ts";
import type { ClientTarget } from "../../../../support/raw_client.ts";
import { transparentFaults } from "../../../../support/transparent_faults.ts";
import { within } from "../../../../support/watchdog.ts";

/** Of every call, whether its manual page names them or not: a filter can answer anything. */
const ERRORS = ["EINTR", "EAGAIN", "ENOBUFS", "EMFILE", "ECONNABORTED", "EPIPE", "ENOMEM", "EPERM"] as const;
/** And what only these are known for. */
const MORE: Partial<Record<keyof Libc, readonly (keyof typeof ERRNO)[]>> = {
  recv: ["ECONNRESET", "ETIMEDOUT"],
  send: ["ECONNRESET", "ETIMEDOUT"],
  connect: ["ECONNREFUSED", "EADDRNOTAVAIL", "EHOSTUNREACH"],
  shutdown: ["ENOTCONN"],
  getpeername: ["ENOTCONN"],
  close: ["EIO"],
  epoll_ctl: ["ENOSPC"],
};
const SERVING: readonly (keyof Libc)[] = [
  "socket",
  "accept4",
  "connect",
  "recv",
  "send",
  "shutdown",
  "close",
  "getsockopt",
  "setsockopt",
  "getsockname",
  "getpeername",
  "epoll_ctl",
  "epoll_wait",
];
/** Which of the calls of a scene fails: the first ones, and some amid the bodies. */
const TURNS = [1, 2, 4, 9] as const;
/** Of Unix sockets, whose code is the same. */
const FEWER_TURNS = [1, 3] as const;

/** Not while serving: addresses are asked for when they are logged, and how a dial went of peers that are far. */
const SELDOM: ReadonlySet<string> = new Set(["getsockname", "getsockopt"]);

/** Calls of a dial whose peer has not answered when connect(2) returns: within a machine it always has. */
const DIALLING: readonly (keyof Libc)[] = ["getsockopt", "epoll_ctl", "epoll_wait", "close"];

/** Peers seem to be far: it is not known at once whether they have answered. */
function far(schedule: Schedule): Schedule {
  return (name, args) => name === "getpeername" ? { errno: ERRNO.ENOTCONN } : schedule(name, args);
}

interface Serving {
  readonly scene: FaultScene;
  readonly proxy: TestProxy;
  readonly to: ClientTarget;
  /** Runs the scene while the schedule holds, and then shows that all is well again. */
  during(schedule: Schedule): Promise<Outcome[]>;
}

async function serving(unix: boolean, act: (serving: Serving) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-"));
  const errors: unknown[] = [];
  const runtime = (await adapterFactory())({ onHandlerError: (error) => errors.push(error) });
  assert.equal(runtime.useEpoll?.(), null);
  const path = join(folder, "proxy");
  const scene = await FaultScene.open(unix ? join(folder, "origin") : undefined);
  const proxy = await TestProxy.start(`to: ${scene.origin.address}`, {
    runtime,
    ...(unix ? { listen: { kind: "unix", path } } : {}),
  });
  const to = unix ? { path } : proxy.port;
  const during = async (schedule: Schedule): Promise<Outcome[]> => {
    const told = proxy.ended.length;
    faults.arm(schedule);
    try {
      return await scene.run(to);
    } finally {
      faults.disarm();
      await scene.clean(to);
      for (const { status, reason } of proxy.ended.slice(told)) {
        assert.ok(status < 500 || reason !== "", `${status} without a reason`);
      }
    }
  };
  try {
    await act({ scene, proxy, to, during });
    assert.deepEqual(errors, []);
  } finally {
    faults.disarm();
    await proxy.stop();
    await scene.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A failure of one of many tells which it was. */
async function named<T>(what: string, act: Promise<T>): Promise<T> {
  try {
    return await act;
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

for (const unix of [false, true]) {
  for (const name of SERVING) {
    epollTest(
      `faults: ${name} of ${unix ? "Unix sockets" : "TCP"} fails, each time another one`,
      async () => {
        await serving(unix, async ({ during }) => {
          let struck = 0;
          for (const error of [...ERRORS, ...MORE[name] ?? []]) {
            for (const n of unix ? FEWER_TURNS : TURNS) {
              await named(`${name} number ${n} with ${error}`, during(nth(name, n, { errno: ERRNO[error] })));
              if (faults.struck === 0) break;
              struck++;
            }
          }
          assert.ok(struck > 0 || SELDOM.has(name) || (unix && name === "setsockopt"), "it is never called");
        });
      },
    );
  }

  for (const name of DIALLING) {
    epollTest(`faults: ${name} of ${unix ? "Unix sockets" : "TCP"} fails, and peers are far`, async () => {
      await serving(unix, async ({ during }) => {
        for (const error of ERRORS) {
          for (const n of unix ? FEWER_TURNS : TURNS) {
            let struck = false;
            const fails = nth(name, n, { errno: ERRNO[error] });
            const outcome = during(far((called, args) => {
              const fault = fails(called, args);
              struck ||= fault !== null;
              return fault;
            }));
            await named(`${name} number ${n} with ${error}`, outcome);
            assert.ok(struck || n > 1, "it is never called");
            if (!struck) break;
          }
        }
      });
    });
  }

  epollTest(`faults: ${unix ? "Unix sockets" : "TCP"} that take and give little at a time`, async () => {
    await serving(unix, async ({ during }) => {
      const short: Schedule = (name) => name === "send" || name === "recv" ? { atMost: 4093 } : null;
      assert.deepEqual(new Set(await during(short)), new Set(["answered"]));
      // One byte at a time, for a while.
      for (const name of ["send", "recv"] as const) {
        let left = 300;
        const outcomes = await during((called) => called === name && left-- > 0 ? { atMost: 1 } : null);
        assert.deepEqual(new Set(outcomes), new Set(["answered"]));
      }
    });
  });
}

for (
  const [name, error, times] of [
    ["epoll_wait", "EINTR", 50],
    ["recv", "EAGAIN", 20],
    ["recv", "EINTR", 20],
    ["send", "EAGAIN", 20],
    ["send", "EINTR", 20],
    ["send", "ENOBUFS", 20],
    ["accept4", "EINTR", 20],
    ["accept4", "ECONNABORTED", 5],
    ["accept4", "EMFILE", 2],
    ["setsockopt", "ENOMEM", 20],
  ] as const
) {
  epollTest(`faults: ${name} fails ${times} times in a row with ${error}, and nobody notices`, async () => {
    await serving(false, async ({ during }) => {
      let left = times;
      const outcomes = await during((called) =>
        called === name && left-- > 0 ? { errno: ERRNO[error] } : null
      );
      assert.ok(faults.struck > 0);
      assert.deepEqual(new Set(outcomes), new Set(["answered"]));
    });
  });
}

for (const unix of [false, true]) {
  epollTest(
    `faults: what happens all the time in the proxy suite, nobody notices, ${unix ? "Unix" : "TCP"}`,
    async () => {
      await serving(unix, async ({ during }) => {
        const schedule = transparentFaults(unix ? 2 : 1);
        const struck = new Set<string>();
        const noted: Schedule = (name, args) => {
          const fault = schedule(name, args);
          if (fault !== null) struck.add("atMost" in fault ? `${name}, short` : name);
          return fault;
        };
        for (let round = 0; round < 12; round++) {
          assert.deepEqual(new Set(await during(noted)), new Set(["answered"]));
        }
        const expected = [
          "accept4",
          "close",
          "connect",
          "epoll_wait",
          "recv",
          "recv, short",
          "send",
          "send, short",
        ];
        assert.deepEqual([...struck].filter((name) => name !== "setsockopt").sort(), expected);
      });
    },
  );
}

epollTest("faults: an answer that cannot be sent any further does not end in order", async () => {
  await serving(false, async ({ during }) => {
    const large = new Map<number, number>();
    const outcomes = await during((name, [fd = -1, , length = 0]) => {
      if (name !== "send" || length < 10_000) return null;
      const times = (large.get(fd) ?? 0) + 1;
      large.set(fd, times);
      return times === 2 ? { errno: ERRNO.ENOMEM } : null;
    });
    assert.ok(faults.struck > 0);
    assert.ok(outcomes.includes("cut"), outcomes.join());
  });
});

epollTest("faults: a connect(2) that was interrupted before it began has not connected", async (sockets) => {
  const listener = await sockets.listen(OPTIONS, {
    accepted: () => assert.fail("a client"),
    acceptFailed() {},
  });
  for (const error of ["EINTR", "EINPROGRESS"] as const) {
    faults.arm(every("connect", { errno: ERRNO[error] }));
    const failed = Promise.withResolvers<SocketError>();
    sockets.dial({ address: listener.address, timeoutMs: 10_000, tls: null }, {
      opened: () => assert.fail("it has opened"),
      failed: failed.resolve,
    });
    assert.equal((await within(failed.promise, "a failure")).code, "connection_terminated");
    faults.disarm();
  }
  await listener.close();
});

epollTest(
  "faults: a dial that is connected at once is told of later, or never if it was cancelled",
  async (sockets) => {
    const listener = await sockets.listen(OPTIONS, {
      accepted: () => ({ data() {}, drained() {}, ended() {}, closed() {} }),
      acceptFailed() {},
    });
    const options = { address: listener.address, timeoutMs: 10_000, tls: null };
    const before = openDescriptors();
    const cancelled = sockets.dial(options, {
      opened: () => assert.fail("it was cancelled"),
      failed: () => assert.fail("it was cancelled"),
    });
    cancelled.cancel();
    assert.equal(openDescriptors(), before);
    // It cannot be watched: the one call that is left to be made fails.
    const failed = Promise.withResolvers<SocketError>();
    faults.arm(every("epoll_ctl", { errno: ERRNO.ENOSPC }));
    sockets.dial(options, {
      opened: () => assert.fail("nothing would be told of it"),
      failed: failed.resolve,
    });
    assert.equal(faults.struck, 0, "not inside of the call");
    assert.notEqual((await within(failed.promise, "a failure")).code, "connection_timeout");
    faults.disarm();
    await listener.close();
  },
);

epollTest("faults: a reset that is refused as an option is made another way", async () => {
  await serving(false, async ({ during }) => {
    // The endpoint's connection breaks in the middle of a body that only a reset can show to be cut.
    const received = new Map<number, number>();
    let refused = 0;
    const outcomes = await during((name, [fd = -1, , option]) => {
      if (name === "setsockopt" && option === SO_LINGER) {
        refused++;
        return { errno: ERRNO.ENOMEM };
      }
      if (name !== "recv") return null;
      const times = (received.get(fd) ?? 0) + 1;
      received.set(fd, times);
      return times === 3 ? { errno: ERRNO.ECONNRESET } : null;
    });
    assert.ok(refused > 0);
    assert.ok(outcomes.includes("cut"), outcomes.join());
  });
});

for (let run = 0; run < 6; run++) {
  const only = process.env["SLUICE_TEST_SEED"];
  const seed = only === undefined ? 7919 * (run + 1) : Number(only);
  epollTest(`faults: any call fails now and then, seed ${seed}`, async () => {
    const random = numbersFrom(seed);
    const errors = Object.values(ERRNO);
    const schedule: Schedule = (name) => {
      if (!SERVING.includes(name) || random() >= 0.03) return null;
      if ((name === "recv" || name === "send") && random() < 0.5) {
        return { atMost: 1 + Math.floor(random() * 2000) };
      }
      return { errno: errors[Math.floor(random() * errors.length)] ?? ERRNO.EIO };
    };
    await serving(run % 3 === 2, async ({ during }) => {
      for (let round = 0; round < 8; round++) await named(`SLUICE_TEST_SEED=${seed}`, during(schedule));
    });
  });
}

/** Numbers from 0 to 1 that are the same for the same seed (xorshift, 32 bits). */
function numbersFrom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

for (
  const name of ["socket", "setsockopt", "bind", "listen", "getsockname", "inet_pton", "epoll_ctl"] as const
) {
  epollTest(`faults: a listener whose ${name} fails is refused, and leaves nothing open`, async (sockets) => {
    const six: ReserveOptions = { ...OPTIONS, address: { kind: "tcp", host: "::1", port: 0 } };
    const before = openDescriptors();
    for (const fault of [{ errno: ERRNO.ENOMEM }, { errno: ERRNO.EINTR }] satisfies Fault[]) {
      faults.arm(every(name, fault));
      const options = { ...OPTIONS, ...six, handshakeTimeoutMs: 1000, tls: null };
      const listening = sockets.listen(options, {
        accepted: () => assert.fail("a client"),
        acceptFailed() {},
      });
      await assert.rejects(listening, SocketFailure);
      faults.disarm();
    }
    assert.equal(openDescriptors(), before);
  });
}

epollTest("faults: an inherited socket that would block is refused", async (sockets) => {
  const held = await sockets.reserve(OPTIONS);
  const copy = duplicator()?.(held.descriptor ?? -1) ?? -1;
  faults.arm(every("fcntl", { errno: ERRNO.EPERM }));
  const inherited = { ...OPTIONS, address: held.address, inherited: copy };
  const listening = sockets.listen(inherited, { accepted: () => assert.fail("a client"), acceptFailed() {} });
  await assert.rejects(listening, SocketFailure);
  faults.disarm();
  await held.close();
});

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}
