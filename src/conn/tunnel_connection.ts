/** A connection to a destination that was asked for by CONNECT: raw bytes from the beginning. */

import type { CloseReason, Socket } from "../../runtime/contract/contract.ts";
import type { ByteStreamEvents } from "../http/byte_stream.ts";
import { Connection } from "./connection.ts";
import type { SwitchedConnection } from "./connection_bytes.ts";
import type { IoTurn } from "./io_turn.ts";

/** Bytes that are kept until the tunnel begins: it does so in the turn in which the connection was opened. */
export class TunnelConnection extends Connection implements SwitchedConnection {
  #events: ByteStreamEvents | null = null;
  peerHasEnded = false;

  constructor(turn: IoTurn, socket: Socket) {
    super(turn, socket);
  }

  becomeRaw(events: ByteStreamEvents): Uint8Array | null {
    this.#events = events;
    return null;
  }

  rawDeadline(at: number): void {
    this.setDeadline(at);
  }

  protected override received(bytes: Uint8Array): void {
    this.#events?.bytesArrived(bytes);
  }

  protected override peerEnded(): void {
    this.peerHasEnded = true;
    this.#events?.bytesEnded();
  }

  protected override peerEndAhead(reset: boolean): void {
    if (reset) this.#events?.bytesBroken();
  }

  protected override gone(reason: CloseReason): void {
    const events = this.#events;
    this.#events = null;
    events?.bytesClosed(reason);
  }

  protected override timedOut(): void {
    if (this.#events === null) this.abort();
    else this.#events.bytesTimedOut();
  }

  protected override sendProgress(backlogBytes: number): void {
    this.#events?.bytesProgress(backlogBytes);
  }
}
