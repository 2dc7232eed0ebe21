/**
 * Attempts of one request that were sent and ended without an answer. A bound on them is a bound on what a request can do
 * that crashes whatever endpoint gets it, so every one of them counts, but for one:
 *
 * When a process ends, its connections end one after the other, and the listening socket last or anywhere in between: on
 * Linux the latest descriptors are closed first. Until its turn has come, milliseconds later, tens of them on a busy
 * machine, new connections queue there, and a request that was lost and is sent again at once is lost again, by the same
 * end, without a program having seen it. So a second loss counts only if the endpoint has shown between the two that it
 * lives. From then on no attempt is made at an endpoint that has not.
 *
 * There are ports that accept connections and drop them while what is behind them is down: a port that is forwarded to a
 * container, a tunnel, a proxy without servers. Requests are held for those as for an endpoint that refuses connections. A
 * loss at such a port would count, too, so none is risked: after the first loss on a new connection, the request is sent
 * only on a connection that has stood open unused for a while (upstream/probation.ts), or after one loss to an endpoint
 * that is up. A port that drops everything drops that connection before anything is sent.
 */

import type { LifeSigns } from "../upstream/life_signs.ts";

/** What is asked of a connection that was lost. Monotonic milliseconds. */
interface LostConnection {
  /** It had been in the pool: it may have been closed already. */
  readonly reused: boolean;
  /** Part of an answer has come: an interim response, or half a head. */
  readonly anyResponse: boolean;
  /** When the request was sent. */
  readonly sentAt: number;
  readonly peer: {
    readonly openedAt: number;
    /** Milliseconds that opening it took. */
    readonly connectMs: number;
  };
}

/**
 * Least probation after one loss, and after further ones that count, when hardly an attempt is left. Longest one after the first
 * loss that asks for any, and after further ones. Milliseconds.
 */
const FIRST = { leastMs: 25, mostMs: 500 };
const FURTHER = { leastMs: 200, mostMs: 4000 };

/**
 * No process takes longer to end, from its first connection to its listening socket. Measured on two processors: 6 ms for
 * 30 connections, 40 ms for 1000 of them or beside 8 programs that do not rest.
 */
const MOST_DYING_MS = 200;

export class Losses {
  /** Ends that it has met. */
  count = 0;
  /** Attempts that were lost by them: one more at most. */
  attempts = 0;
  /** Milliseconds for which the next connection must stand open before the request is sent on it; 0 = any will do. */
  probationMs = 0;
  /** Of the endpoint of the last loss. Null when that was no end: the endpoint has just not answered. */
  #life: LifeSigns | null = null;
  #at = 0;

  /**
   * @param life of its endpoint
   * @param ended whether the connection has; otherwise the time for an answer is over
   * @param now monotonic milliseconds
   */
  note(connection: LostConnection, life: LifeSigns, ended: boolean, now: number): void {
    const again = ++this.attempts === 2 && ended && life === this.#life &&
      !hasLived(connection, life, this.#at);
    if (!again) this.count++;
    this.#life = ended ? life : null;
    this.#at = now;
    this.#lengthen(connection, now);
  }

  #lengthen({ reused, peer }: LostConnection, now: number): void {
    // It may have been closed already, and says nothing of the next one.
    if (reused) return;
    const { leastMs } = this.count === 1 ? FIRST : FURTHER;
    const { mostMs } = this.probationMs === 0 ? FIRST : FURTHER;
    // A port that takes its time to find out that nothing is behind it takes it again, from when it has taken a connection on: that
    // may have been waiting for others before it was ours. Our own probation had to be over, and would only lengthen itself.
    // What has lasted longer than any probation tells nothing.
    const lifeMs = now - peer.openedAt - this.probationMs;
    const enoughMs = lifeMs < mostMs ? Math.min(mostMs, 2 * lifeMs) : 0;
    this.probationMs = Math.max(this.probationMs, leastMs, enoughMs);
  }
}

/**
 * Whether the process that `connection` led to was alive after `since`, when another connection to the endpoint was lost: it
 * has begun to answer, or answered what was sent later, or was dialled when the one before had been found gone, or all was well
 * for too long.
 */
function hasLived(
  { anyResponse, sentAt, peer }: LostConnection,
  life: LifeSigns,
  since: number,
): boolean {
  const { openedAt, connectMs } = peer;
  return anyResponse || life.provedAt > since ||
    (life.refusedAt >= since && openedAt - connectMs >= life.refusedAt) ||
    sentAt - Math.max(openedAt, since) >= MOST_DYING_MS;
}
