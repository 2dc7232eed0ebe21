/** A runtime that does some things otherwise than the one it is made of. */

import type { Runtime } from "../../runtime/contract/contract.ts";

/** What may be done otherwise; the rest is the platform's, also what a platform lacks. */
export type RuntimeChanges = Partial<Pick<Runtime, "dial" | "listen" | "reserve" | "resolve">>;

export function derivedRuntime(platform: Runtime, changes: RuntimeChanges): Runtime {
  const { useEpoll, releaseProgram } = platform;
  return {
    name: platform.name,
    version: platform.version,
    capabilities: platform.capabilities,
    clock: platform.clock,
    ...(useEpoll === undefined ? {} : { useEpoll: () => useEpoll.call(platform) }),
    dial: changes.dial ?? ((options, events) => platform.dial(options, events)),
    secure: (options, events) => platform.secure(options, events),
    openDatagrams: (options, events) => platform.openDatagrams(options, events),
    resolve: changes.resolve ?? ((host) => platform.resolve(host)),
    releaseMemory: () => platform.releaseMemory(),
    ...(releaseProgram === undefined ? {} : { releaseProgram: () => releaseProgram.call(platform) }),
    discard: platform.discard,
    reserve: changes.reserve ?? ((options) => platform.reserve(options)),
    listen: changes.listen ?? ((options, events) => platform.listen(options, events)),
  };
}
