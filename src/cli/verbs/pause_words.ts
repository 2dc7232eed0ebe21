/** What verbs say about a pause. */

import { OWNER_WORDS } from "../../process/worker/pause_owner.ts";
import type { OwnedPause } from "../../process/worker/status.ts";
import { roughDuration } from "./text_table.ts";

/** "paused by with-pause for 3s, at most 8s more". @param now wall-clock milliseconds of the Sluice that told of it */
export function pauseWords({ owner, since, lease_until: until }: OwnedPause, now: number): string {
  const open = owner === "operator" ? ", until it is resumed" : "";
  const end = until === null ? open : `, at most ${roughDuration(Math.max(0, Date.parse(until) - now))} more`;
  return `paused by ${OWNER_WORDS[owner]} for ${roughDuration(Math.max(0, now - Date.parse(since)))}${end}`;
}
