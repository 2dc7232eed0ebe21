/** What an endpoint asks of a request before it is sent on a connection that may be about to end. */

export interface Repeatable {
  /** It may be sent again if a connection closes without an answer. */
  readonly repeatable: boolean;
}
