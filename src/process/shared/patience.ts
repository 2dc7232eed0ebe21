/** How long the end waits for the readers of what we write: a log shipper that hangs must not keep Sluice from ending. */

import type { FlushPatience } from "../../../runtime/contract/contract.ts";

/**
 * With a graceful end. A reader that is merely slow takes 64 KiB, what a pipe holds, in much less than a second. A worker
 * flushes two logs within the five seconds that it gets on top of the drain time.
 */
export const PATIENT: FlushPatience = { stalledMs: 1_000, mostMs: 2_000 };
/** Once the stop was asked for twice. */
export const HURRIED: FlushPatience = { stalledMs: 100, mostMs: 100 };
