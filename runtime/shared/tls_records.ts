/**
 * Whether a peer has ended TLS with close_notify, for platforms that tell its end and FIN alike.
 *
 * An attacker on the path can end the connection below TLS, and a body that ends with its connection would look complete
 * (RFC 9112 §9.8). So the records are looked at as they come in. Their headers are not encrypted: up to TLS 1.2 they
 * say "alert"; in TLS 1.3 an alert is a record of 19 bytes that carries no data (RFC 8446 §5.2: level, description,
 * type, and the tag of 16 bytes that all its ciphers have). That it is genuine the platform has checked: it reports a
 * record that does not decrypt, and a fatal alert, as an error.
 */

const ALERT = 21;
const APPLICATION_DATA = 23;
const HEADER_BYTES = 5;
/** Of a record of TLS 1.3 beside its contents: their type, and the tag. */
const OVERHEAD_BYTES = 17;
const ALERT_BYTES = 2 + OVERHEAD_BYTES;

/** Watches what one side receives. No allocation; the cost is that of looking at each record's header. */
export class TlsRecords {
  /** Bytes of the header that have come, 0 to 5. */
  #headerBytes = 0;
  #type = 0;
  /** Length of the record under way, as far as it is known. */
  #length = 0;
  /** Bytes of the record that are still to come; counts when its header is complete. */
  #missing = 0;
  /** The last record that came whole. */
  #lastType = 0;
  #lastLength = 0;
  /** Contents of the records that were complete with what came last, if all of them were data. */
  #expected = 0;
  /** Contents that the platform has told of since. */
  #told = 0;

  /** Records, or parts of them, have come in; before the platform tells what is in them. */
  received(bytes: Uint8Array): void {
    this.#expected = 0;
    this.#told = 0;
    const { length } = bytes;
    let at = 0;
    while (at < length) {
      if (this.#headerBytes === HEADER_BYTES) {
        const taken = Math.min(this.#missing, length - at);
        at += taken;
        this.#missing -= taken;
        if (this.#missing > 0) return;
      } else {
        const byte = bytes[at++] as number;
        if (this.#headerBytes === 0) this.#type = byte;
        else if (this.#headerBytes === 3) this.#length = byte << 8;
        else if (this.#headerBytes === 4) this.#missing = this.#length |= byte;
        if (++this.#headerBytes < HEADER_BYTES || this.#missing > 0) continue;
      }
      this.#headerBytes = 0;
      this.#lastType = this.#type;
      this.#lastLength = this.#length;
      if (this.#type === APPLICATION_DATA) this.#expected += this.#length - OVERHEAD_BYTES;
    }
  }

  /** The platform has told of contents. */
  told(byteCount: number): void {
    this.#told += byteCount;
  }

  /** Asked when the platform tells the peer's end: it came with close_notify. */
  get closedInOrder(): boolean {
    if (this.#headerBytes !== 0) return false;
    if (this.#lastType === ALERT) return true;
    return this.#lastType === APPLICATION_DATA && this.#lastLength === ALERT_BYTES &&
      this.#told !== this.#expected;
  }
}
