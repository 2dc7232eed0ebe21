/** What scripts give back, made a decision of. */

import type { HttpResponse, ResponseLike } from "../answer/answer_types.ts";
import { shown } from "../answer/field_values.ts";
import { OwnAnswer } from "../answer/own_answer.ts";
import { ScriptError } from "../answer/script_error.ts";
import { isDecision, type MadeDecision, RespondDecision } from "./decision.ts";

/** Whether it has to be waited for. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as PromiseLike<unknown>).then === "function";
}

/**
 * @returns null when nothing was decided
 * @throws ScriptError when it is no decision and no answer
 */
export function decisionOf(value: unknown): MadeDecision | null {
  if (value === undefined || value === null) return null;
  if (isDecision(value)) return value;
  if (typeof value === "object" && !Array.isArray(value)) {
    if (isResponse(value)) return new RespondDecision(OwnAnswer.ofResponse(value));
    // The cast: what is in it is checked one by one.
    if (!("kind" in value)) return new RespondDecision(OwnAnswer.of(value as HttpResponse));
  }
  const hint = typeof value === "string"
    ? `: an upstream is named by to(${shown(value)}), a text is sent by respond`
    : "";
  throw new ScriptError(`${shown(value)} is no decision and no answer${hint}`);
}

/** It has come too late: a stream in it is told that nobody reads it, so that what feeds it ends. */
export function discard(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (isPromise(value)) {
    value.then(discard, () => {});
    return;
  }
  const body = value instanceof RespondDecision
    ? value.answer.pieces
    : (value as { readonly body?: unknown }).body;
  if (body instanceof ReadableStream && !body.locked) void body.cancel().catch(() => {});
}

function isResponse(value: object): value is ResponseLike {
  return "arrayBuffer" in value && "headers" in value && "status" in value;
}
