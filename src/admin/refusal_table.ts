/** What a refusal is called elsewhere: the status of its answer, the exit code of its verb. */

import type { RefusalCode } from "../control/plane.ts";

export interface RefusalMeaning {
  readonly status: number;
  /** 1 failed, 2 bad usage or configuration, 4 a waited-for condition did not come true in time. */
  readonly exit: 1 | 2 | 4;
}

export const REFUSALS: Readonly<Record<RefusalCode, RefusalMeaning>> = {
  unknown_name: { status: 404, exit: 2 },
  ambiguous_name: { status: 409, exit: 2 },
  invalid: { status: 400, exit: 2 },
  not_possible: { status: 501, exit: 1 },
  unhealthy: { status: 502, exit: 1 },
  timeout: { status: 504, exit: 4 },
  busy: { status: 409, exit: 1 },
  replaced: { status: 409, exit: 1 },
  failed: { status: 500, exit: 1 },
};

export function isRefusalCode(text: string): text is RefusalCode {
  return Object.hasOwn(REFUSALS, text);
}
