/** Decisions: immutable values, checked when they are made. A constant one costs nothing at a request. */

import type { Body, FieldInit, HttpResponse } from "../answer/answer_types.ts";
import { checkName, linesOf, shown } from "../answer/field_values.ts";
import { OwnAnswer } from "../answer/own_answer.ts";
import { ScriptError } from "../answer/script_error.ts";
import type { FieldSection } from "../http/field_section.ts";
import { NO_FIELDS } from "../http/field_section.ts";
import { fieldSection } from "../http/own_fields.ts";
import { FieldEdits } from "./field_edits.ts";
import { ForwardPlan } from "./forward_plan.ts";
import type { Decision, Forward, Pass } from "./script_types.ts";

/** To an upstream, by name. */
export class ToDecision implements Decision {
  readonly kind: "to" | "tunnel";
  readonly upstream: string;
  readonly plan: ForwardPlan | null;

  constructor(kind: "to" | "tunnel", upstream: string, plan: ForwardPlan | null) {
    this.kind = kind;
    this.upstream = upstream;
    this.plan = plan;
    Object.freeze(this);
  }
}

/** On with the routes. */
export class NextDecision implements Decision {
  readonly kind = "next";
  readonly plan: ForwardPlan | null;

  constructor(plan: ForwardPlan | null) {
    this.plan = plan;
    Object.freeze(this);
  }
}

export class RespondDecision implements Decision {
  readonly kind = "respond";
  readonly answer: OwnAnswer;

  constructor(answer: OwnAnswer) {
    this.answer = answer;
    Object.freeze(this);
  }
}

/** A refusal with Sluice's own body. */
export class RejectDecision implements Decision {
  readonly kind = "reject";
  readonly status: number;
  /** For the client; "" for none. */
  readonly words: string;
  readonly fields: FieldSection;

  constructor(status: number, words: string, fields: FieldSection) {
    this.status = status;
    this.words = words;
    this.fields = fields;
    Object.freeze(this);
  }
}

/** A response goes on, changed. */
export class PassDecision implements Decision {
  readonly kind = "pass";
  readonly status: number | null;
  readonly edits: FieldEdits | null;

  constructor(status: number | null, edits: FieldEdits | null) {
    this.status = status;
    this.edits = edits;
    Object.freeze(this);
  }
}

export type MadeDecision = ToDecision | NextDecision | RespondDecision | RejectDecision | PassDecision;

/** Whether `value` was made by one of the functions below. */
export function isDecision(value: unknown): value is MadeDecision {
  return value instanceof ToDecision || value instanceof NextDecision || value instanceof RespondDecision ||
    value instanceof RejectDecision || value instanceof PassDecision;
}

/** To an upstream. @throws ScriptError */
export function to(upstream: string, how?: Forward): Decision {
  return new ToDecision("to", checkedUpstream(upstream), ForwardPlan.of(how));
}

/** To an upstream, for requests that switch protocols; others are answered 426. @throws ScriptError */
export function tunnel(upstream: string, how?: Forward): Decision {
  return new ToDecision("tunnel", checkedUpstream(upstream), ForwardPlan.of(how));
}

/** On with the routes, changed. @throws ScriptError */
export function next(how?: Forward): Decision {
  return new NextDecision(ForwardPlan.of(how));
}

/** An answer: its parts, or one object. @throws ScriptError */
export function respond(status: number | HttpResponse, body?: Body, headers?: FieldInit): Decision {
  const answer = typeof status === "object" && status !== null ? status : { status, body, headers };
  return new RespondDecision(OwnAnswer.of(answer));
}

/**
 * A refusal: status (default 403), Proxy-Status and log say `http_request_denied`, the body has `words`.
 *
 * @throws ScriptError
 */
export function reject(status = 403, words = "", headers?: FieldInit): Decision {
  if (!Number.isInteger(status) || status < 400 || status > 599) {
    throw new ScriptError(`status: ${shown(status)} is no refusal: 400 to 599`);
  }
  if (typeof words !== "string" || !/^[\x20-\x7e]{0,200}$/.test(words)) {
    throw new ScriptError(`words: ${shown(words)}: at most 200 characters of ASCII, without line breaks`);
  }
  const lines = linesOf(headers);
  return new RejectDecision(status, words, lines.length === 0 ? NO_FIELDS : fieldSection(...lines));
}

/** The response goes on, changed. @throws ScriptError */
export function pass(how: Pass): Decision {
  if (typeof how !== "object" || how === null) throw new ScriptError(`${shown(how)}: an object is needed`);
  const { status, headers, add } = how;
  if (status !== undefined && (!Number.isInteger(status) || status < 200 || status > 599)) {
    throw new ScriptError(`status: ${shown(status)}: 200 to 599 are statuses of responses`);
  }
  if (status === 204 || status === 304) {
    throw new ScriptError(`status: a response cannot become a ${status}, which has no body`);
  }
  return new PassDecision(status ?? null, FieldEdits.of(headers, add, checkName));
}

function checkedUpstream(name: unknown): string {
  if (typeof name === "string" && name !== "") return name;
  throw new ScriptError(`upstream: ${shown(name)}: the name of an upstream is needed`);
}
