/**
 * A look at the addresses of a command before it is started. A program that listens there then is a stranger: the command could
 * not bind, and a dial that the stranger accepts must not be taken for the command's readiness.
 */

import type { Address, Dial, Runtime, SocketOwner, System, Timer } from "../../runtime/contract/contract.ts";
import { printAddress } from "../config/values/address.ts";
import { dialledOneself, NO_EVENTS } from "./accept_probe.ts";

/** Longest time of one dial, in milliseconds: what does not answer in this time is not there. */
const DIAL_MS = 250;
/** Time for what ran before to be gone, such as a container whose port is closed a moment after its client has ended. */
const PATIENCE_MS = 1_000;
const PAUSE_MS = 50;

export interface StartLook {
  /** Addresses where nothing listens. */
  readonly free: readonly Address[];
  /** `127.0.0.1:3000 is taken by process 4242 (node)`, one for each of the other addresses. */
  readonly taken: readonly string[];
}

/**
 * Dials each address once, and those that accept for a second more.
 *
 * @param looked called once, never inside the call
 * @returns gives up; `looked` is not called any more
 */
export function lookBeforeStart(
  runtime: Runtime,
  system: System,
  addresses: readonly Address[],
  looked: (look: StartLook) => void,
): () => void {
  const until = runtime.clock.now() + PATIENCE_MS;
  const free = new Set<Address>();
  const taken = new Map<Address, string>();
  const dials = new Set<Dial>();
  const timers = new Set<Timer>();
  let over = false;
  const decided = () => {
    if (over || free.size + taken.size < addresses.length) return;
    over = true;
    looked({ free: addresses.filter((each) => free.has(each)), taken: [...taken.values()] });
  };
  const ask = (address: Address) => {
    const dial = runtime.dial({ address, timeoutMs: DIAL_MS, tls: null }, {
      opened: (socket) => {
        dials.delete(dial);
        const own = dialledOneself(socket);
        socket.close();
        if (over) return NO_EVENTS;
        if (own) {
          ask(address);
        } else if (runtime.clock.now() < until) {
          const timer = runtime.clock.setTimer(PAUSE_MS, () => {
            timers.delete(timer);
            ask(address);
          }, true);
          timers.add(timer);
        } else {
          void system.listenerAt(address).then((owner) => {
            taken.set(address, `${printAddress(address)} is taken by ${ownerWords(owner)}`);
            decided();
          });
        }
        return NO_EVENTS;
      },
      failed: () => {
        dials.delete(dial);
        free.add(address);
        decided();
      },
    });
    dials.add(dial);
  };
  for (const address of addresses) ask(address);
  return () => {
    over = true;
    for (const dial of dials) dial.cancel();
    for (const timer of timers) timer.cancel();
  };
}

function ownerWords(owner: SocketOwner | null): string {
  if (owner === null) return "another program";
  const { pid, program, user } = owner;
  if (pid !== null) return `process ${pid} (${program})`;
  return user === null ? "another program" : `a process of user ${user}`;
}
