/** What dials and requests have told of whether the process behind an endpoint lives. Monotonic milliseconds, -1 = never. */

export class LifeSigns {
  /**
   * It was alive then for certain, since it has answered what was sent then: the latest such time. When the answer came tells
   * nothing: it may lie in a socket's buffer while its process ends.
   */
  provedAt = -1;
  /** When a dial was refused last, so that no process listened. */
  refusedAt = -1;
  /** When a connection ended last without an answer to the request that was on it. */
  lostAt = -1;

  /** A request that was sent at `sentAt` is answered. */
  answered(sentAt: number): void {
    if (sentAt > this.provedAt) this.provedAt = sentAt;
  }
}
