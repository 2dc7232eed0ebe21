/** How many retries may be under way at a time. Others wait, none fails for it. */

/** Share of the requests in flight that may be retries, and their least number. */
const SHARE = 0.2;
const LEAST = 3;

export class RetryBudget {
  /** Retries that were sent and whose answers have not begun. */
  taken = 0;

  /**
   * Whether one more may be sent.
   *
   * @param busy requests in flight
   * @param least how many are always allowed
   */
  allows(busy: number, least: number = LEAST): boolean {
    return this.taken < Math.max(least, Math.floor(busy * SHARE));
  }
}
