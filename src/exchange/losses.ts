/**
 * Attempts of one request that were sent and ended without an answer. A bound on them is a bound on what a request can do
 * that crashes whatever endpoint gets it, so every one of them counts.
 *
 * There are ports that accept connections and drop them while what is behind them is down: a port that is forwarded to a
 * container, a tunnel, a proxy without servers. Requests are held for those as for an endpoint that refuses connections. A
 * loss at such a port would count, too, so none is risked: after the first loss on a new connection, the request is sent
 * only on a connection that has stood open unused for a while (upstream/probation.ts), or after one loss to an endpoint
 * that is up. A port that drops everything drops that connection before anything is sent.
 */

/** What is asked of a connection that was lost. */
interface LostConnection {
  /** It had been in the pool: it may have been closed already. */
  readonly reused: boolean;
  /** When it was opened; monotonic milliseconds. */
  readonly openedAt: number;
}

/**
 * Least and longest probation after the first loss on a new connection, and after further ones, when hardly an attempt is
 * left. Milliseconds.
 */
const FIRST = { leastMs: 25, mostMs: 500 };
const FURTHER = { leastMs: 200, mostMs: 4000 };

export class Losses {
  count = 0;
  /** Milliseconds for which the next connection must stand open before the request is sent on it; 0 = none was lost. */
  probationMs = 0;

  /** @param now monotonic milliseconds */
  note(connection: LostConnection, now: number): void {
    this.count++;
    if (connection.reused) return;
    const { leastMs, mostMs } = this.probationMs === 0 ? FIRST : FURTHER;
    // A port that takes its time to find out that nothing is behind it takes it again, from when it has taken a connection on: that
    // may have been waiting for others before it was ours. Our own probation had to be over, and would only lengthen itself.
    // What has lasted longer than any probation tells nothing.
    const lifeMs = now - connection.openedAt - this.probationMs;
    const enoughMs = lifeMs < mostMs ? Math.min(mostMs, 2 * lifeMs) : 0;
    this.probationMs = Math.max(this.probationMs, leastMs, enoughMs);
  }
}
