/** A TLS connection over one that was opened plain: it knows whether the peer's end was its own. */
import type { TlsSession } from "../contract/contract.ts";
import type { NativeOwner, NativeSocket } from "./native.ts";
import { BunSocket, type Host } from "./socket.ts";
import { TlsRecords } from "../shared/tls_records.ts";

/** Owner of the connection below TLS. Its data are records; all else it tells, the TLS side tells as well. */
export class RawSide implements NativeOwner {
  readonly records = new TlsRecords();
  /** The connection has ended. */
  onHungUp: () => void = () => {};

  onData(bytes: Uint8Array): void {
    this.records.received(bytes);
    // A copy that has no other owner, up to 512 KiB: freed at once instead of by the collector.
    (bytes.buffer as ArrayBuffer).transfer(0);
  }
  onDrain(): void {}
  onEnd(): void {
    this.onHungUp();
  }
  onClose(): void {
    this.onHungUp();
  }
  onError(): void {}
}

export class BunTlsSocket extends BunSocket {
  readonly #records: TlsRecords;

  constructor(native: NativeSocket, host: Host, tls: TlsSession, records: TlsRecords) {
    super(native, host, tls);
    this.#records = records;
  }

  override onData(bytes: Uint8Array): void {
    this.#records.told(bytes.length);
    super.onData(bytes);
  }

  get endedShort(): boolean {
    return !this.#records.closedInOrder;
  }
}
