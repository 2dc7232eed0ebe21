/** Tests of the epoll loop of the process, where there is one. */

import { test } from "node:test";
import { EpollSockets } from "../../runtime/bun/epoll/adapter.ts";
import type { EpollLoop } from "../../runtime/bun/epoll/loop.ts";
import { adapterFactory } from "./adapter.ts";
import { testParts } from "./epoll_parts.ts";
import { within } from "./watchdog.ts";

/** What handlers threw, by the sockets that all tests of a file share. A test that throws empties it. */
export const handlerErrors: unknown[] = [];

/** False in the runtimes that the capability says cannot do it. */
export const hasEpoll: boolean = (await adapterFactory())({ onHandlerError: () => {} }).capabilities.epoll;

const sockets = hasEpoll
  ? EpollSockets.open((error) => handlerErrors.push(error), testParts)
  : "no capability";

/** A test with the loop, skipped only without the capability. */
export function epollTest(name: string, body: (sockets: EpollSockets) => Promise<void>): void {
  if (!hasEpoll) {
    test(name, { skip: "capability: epoll" }, () => {});
    return;
  }
  test(name, async () => {
    if (typeof sockets === "string") throw new Error(`the capability promises a loop: ${sockets}`);
    await body(sockets);
  });
}

/** Looks at the waits of a loop: how many there were, and for which descriptors something came. */
export class WaitWatch {
  waits = 0;
  readonly #loop: EpollLoop;
  readonly #events = new Map<number, number>();

  constructor(loop: EpollLoop) {
    this.#loop = loop;
    const { calls } = loop;
    const wait = calls.wait.bind(calls);
    calls.wait = (epoll, timeoutMs) => {
      const count = wait(epoll, timeoutMs);
      this.waits++;
      for (let index = 0; index < count; index++) {
        const fd = calls.descriptorAt(index);
        this.#events.set(fd, this.events(fd) + 1);
      }
      return count;
    };
  }

  /** Events of this descriptor so far. */
  events(fd: number): number {
    return this.#events.get(fd) ?? 0;
  }

  /** Resolves when the loop has waited `count` times more. */
  async more(count: number): Promise<void> {
    const enough = this.waits + count;
    this.#loop.ref();
    const watching = (async () => {
      while (this.waits < enough) await new Promise((resolve) => setImmediate(resolve));
    })();
    try {
      await within(watching, `${count} waits of the loop`);
    } finally {
      this.#loop.unref();
    }
  }

  stop(): void {
    delete (this.#loop.calls as { wait?: unknown }).wait;
  }
}
