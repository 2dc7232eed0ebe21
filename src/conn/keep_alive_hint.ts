/** What a response says of how long its connection is kept. */

import { Field } from "../http/field.ts";
import type { Head } from "../http/head.ts";
import { ConnectionOption, connectionOptions } from "../http1/connection_options.ts";

/** The endpoint says that it keeps the connection. */
export function promisesKeepAlive(head: Head): boolean {
  return head.has(Field.connection) && (connectionOptions(head) & ConnectionOption.keepAlive) !== 0;
}

/** The `timeout` parameter of Keep-Alive in milliseconds, 0 when absent or not a number. */
export function keepAliveHint(head: Head): number {
  const value = head.joined(Field.keepAlive);
  if (value === null) return 0;
  const match = /(?:^|[,;\s])timeout\s*=\s*"?(\d{1,6})/i.exec(value);
  return match === null ? 0 : Number(match[1]) * 1000;
}
