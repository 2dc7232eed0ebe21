/** Log lines about what the supervisor does on request. */

import type { EventBody } from "./event_hub.ts";
import { OWNER_WORDS } from "../process/worker/pause_owner.ts";
import type { ReloadDone } from "./plane.ts";
import type { Logger } from "../observe/logger.ts";

/** One line, or one for each change. What workers log themselves is not repeated. */
export function logEvent(logger: Logger, event: EventBody): void {
  switch (event.event) {
    case "paused": {
      const lease = event.lease_ms === null ? "" : `, for ${event.lease_ms} ms at most`;
      const { upstream, owner } = event;
      logger.info("paused", `${upstream}: requests are held by ${OWNER_WORDS[owner]}${lease}`, {
        upstream,
        owner,
      });
      return;
    }
    case "resumed":
    case "pause_ended": {
      const { upstream, owner } = event;
      const why = { asked: "", lease_ended: ": the lease has ended", removed: ": it is gone" }[event.because];
      const what = event.event === "resumed"
        ? `requests go on${why}`
        : `no more held by ${OWNER_WORDS[owner]}${why}; requests wait for another pause to end`;
      logger.info(event.event, `${upstream}: ${what}`, { upstream, owner });
      return;
    }
    case "draining":
    case "drained":
    case "undrained":
      logger.info(event.event, event.endpoint, { upstream: event.upstream, endpoint: event.endpoint });
      return;
    case "swapped":
    case "readdressed": {
      const { upstream, from, to } = event;
      logger.info(event.event, `${upstream}: ${from.join(", ")} -> ${to.join(", ")}`, { upstream });
      return;
    }
    case "reloaded":
      for (const line of event.changes) logger.info("reloaded", line, { generation: event.generation });
      return;
    case "reload_failed":
      for (const line of event.problems) logger.error("reload_failed", line);
      return;
    case "upgrading":
      logger.info("upgrading", `upgrade: process ${event.pid} has been started`, { pid: event.pid });
      return;
    case "upgrade_failed":
      logger.error("upgrade_failed", `upgrade: ${event.detail}`);
      return;
    default:
      // Told elsewhere.
  }
}

/** The outcome of a reload for which no verb waits, on top of `logEvent`. */
export function logReload(logger: Logger, { changes, ignored, warnings = [] }: ReloadDone): void {
  if (changes.length + ignored.length === 0) logger.info("reloaded", "nothing has changed");
  for (const line of [...ignored, ...warnings]) logger.warn("reloaded", line);
}
