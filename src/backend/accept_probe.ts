/** Finds out by dialling whether an address accepts connections: no event of the kernel tells. */

import type { Address, Dial, Runtime, Socket, SocketEvents, Timer } from "../../runtime/contract/contract.ts";
import { dialPause } from "../upstream/dial_pace.ts";

/** Longest time of one dial, in milliseconds. */
const DIAL_MS = 1_000;
export const NO_EVENTS: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };

/**
 * Dials each of the addresses again and again, often at first and then four times a second, until a connection
 * to one of them opens; that one is closed at once, and `accepted` called once.
 *
 * @returns gives up; `accepted` is not called any more
 */
export function untilAccepting(
  runtime: Runtime,
  addresses: readonly Address[],
  accepted: () => void,
): () => void {
  const began = runtime.clock.now();
  const dials = new Set<Dial>();
  const timers = new Set<Timer>();
  let over = false;
  const end = () => {
    over = true;
    for (const dial of dials) dial.cancel();
    for (const timer of timers) timer.cancel();
  };
  const ask = (address: Address) => {
    const dial = runtime.dial({ address, timeoutMs: DIAL_MS, tls: null }, {
      opened: (socket) => {
        dials.delete(dial);
        socket.close();
        if (over) return NO_EVENTS;
        if (dialledOneself(socket)) {
          askLater(address);
        } else {
          end();
          accepted();
        }
        return NO_EVENTS;
      },
      failed: () => {
        dials.delete(dial);
        if (!over) askLater(address);
      },
    });
    dials.add(dial);
  };
  const askLater = (address: Address) => {
    const pause = dialPause(runtime.clock.now() - began, null, Math.random());
    const timer = runtime.clock.setTimer(pause, () => {
      timers.delete(timer);
      ask(address);
    }, true);
    timers.add(timer);
  };
  for (const address of addresses) ask(address);
  return end;
}

/** A connection to oneself, which a dial to a free port can come to (RFC 9293 §3.5). */
export function dialledOneself(socket: Socket): boolean {
  return socket.localPort !== 0 && socket.localPort === socket.remotePort &&
    socket.localAddress === socket.remoteAddress;
}
