/** What a reload does with a command depends on which one it is, and on where it listens. */

import type { UpstreamConfig } from "../config/values/config.ts";

/** The same command for the same addresses, started and stopped in the same way. */
export function sameCommand(a: UpstreamConfig, b: UpstreamConfig): boolean {
  const described = ({ child, endpoints }: UpstreamConfig) =>
    JSON.stringify([child, endpoints.map(({ address }) => address)]);
  return described(a) === described(b);
}

/** An endpoint of one is an endpoint of the other. */
export function listenTogether(a: UpstreamConfig, b: UpstreamConfig): boolean {
  return a.endpoints.some(({ name }) => b.endpoints.some((other) => other.name === name));
}
