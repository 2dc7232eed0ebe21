/** Which failures of a request would be tried again. */

import type { AttemptFailure } from "../../exchange/retry.ts";
import { decideRetry, type RetryPolicy } from "../../exchange/retry.ts";
import type { ExplainRequest } from "../../control/plane.ts";
import type { ExplainedRetry } from "./explanation.ts";

const FAILURES: readonly AttemptFailure[] = ["reset", "timeout", 502, 503, 504];

export function retryCases(
  request: ExplainRequest,
  policy: RetryPolicy,
  pinned: boolean,
  replayable: boolean,
  holdMs: number,
): ExplainedRetry[] {
  const idempotencyKey = request.headers.some((line) => /^idempotency-key:/i.test(line));
  return FAILURES.flatMap((failure) =>
    (failure === "reset" ? ["reused", "fresh"] as const : ["fresh"] as const).map((connection) => {
      const decision = decideRetry({
        failure,
        sent: true,
        reused: connection === "reused",
        anyResponse: false,
        responseBegun: false,
        method: request.method,
        idempotencyKey,
        replayable,
        attempts: 1,
        lost: 1,
        timeLeftMs: holdMs,
        pinned,
        elsewhere: false,
      }, policy);
      return {
        failure,
        connection,
        again: decision.kind === "again",
        because: decision.kind === "no" ? decision.because : "" as const,
      };
    })
  );
}
