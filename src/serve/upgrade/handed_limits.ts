/**
 * `max_in_flight` while one Sluice takes the place of another: the new one holds requests to upstreams that have it
 * until the old one has none on its way there any more. So the limit holds over both.
 */

import type { Clock } from "../../../runtime/contract/contract.ts";
import type { Config } from "../../config/values/config.ts";
import { sleep } from "../../control/conditions.ts";
import type { Supervisor } from "../../process/supervisor/supervisor.ts";
import type { Pause, Pauses } from "../../control/pauses.ts";

/** A connection that is open for longer after the end began is busy with its last request. See Gateway.drain. */
const LAST_REQUESTS_MS = 1_500;
const LOOK_EVERY_MS = 20;

function limited({ upstreams }: Config): string[] {
  return upstreams.flatMap(({ name, maxInFlight }) => maxInFlight > 0 ? [name] : []);
}

/** For the old one, which drains: tells each such upstream once, when nothing of ours is on its way to it. */
export async function tellQuiet(
  clock: Clock,
  supervisor: Supervisor,
  tell: (upstreams: readonly string[]) => void,
): Promise<void> {
  const open = new Set(limited(supervisor.config));
  const began = clock.now();
  while (open.size > 0) {
    const { connections, upstreams } = await supervisor.report();
    const tunnels = upstreams.reduce((sum, upstream) => sum + upstream.tunnels, 0);
    const last = connections === tunnels || clock.now() - began > LAST_REQUESTS_MS;
    const quiet = upstreams
      .filter(({ name, inFlight, waiting, tunnels }) =>
        open.has(name) && inFlight === tunnels && waiting === 0
      )
      .map(({ name }) => name);
    if (last && quiet.length > 0) {
      for (const name of quiet) open.delete(name);
      tell(quiet);
    }
    await sleep(clock, LOOK_EVERY_MS);
  }
}

/** For the new one: a pause of its own, which no operator ends. */
export class HeldLimits {
  readonly #pauses: Pauses;
  /** Null when no upstream has a limit. */
  readonly #pause: Pause | null;

  /** Before the supervisor starts. */
  constructor(config: Config, pauses: Pauses) {
    const upstreams = limited(config);
    this.#pauses = pauses;
    this.#pause = upstreams.length === 0 ? null : pauses.begin("upgrade", upstreams, null).pause;
  }

  /** Upstreams for which the old one may still have requests under way. */
  get held(): ReadonlySet<string> {
    return this.#pause?.upstreams ?? new Set();
  }

  /** The other has nothing on its way to these any more; null = to none. */
  release(upstreams: readonly string[] | null): void {
    if (this.#pause !== null) void this.#pauses.end(this.#pause, upstreams);
  }
}
