/** What comes back for a request that a script watches: kept until the script has said what is to become of it. */

import type { CloseReason } from "../../runtime/contract/contract.ts";
import type { OwnAnswer } from "../answer/own_answer.ts";
import { ScriptError } from "../answer/script_error.ts";
import type { ReasonCode } from "../exchange/reason.ts";
import { type BodyLength, NO_BODY } from "../http/body_length.ts";
import type { ByteStream } from "../http/byte_stream.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { ForwardedFields } from "../http/forwarded_fields.ts";
import { HIGH_WATER_BYTES } from "../http/water_marks.ts";
import type { RejectDecision, ToDecision } from "./decision.ts";
import { ForwardedView } from "./field_views.ts";
import { HeldAnswer } from "./held_answer.ts";
import type { Script } from "./script.ts";
import { SwitchedLater } from "./switched_later.ts";
import type { Failure, HttpRequest } from "./script_types.ts";
import { decisionOf } from "./verdict.ts";

/** The request that it is for. */
export interface ResponseOwner {
  readonly client: DownstreamStream;
  readonly script: Script;
  readonly isHead: boolean;
  /** The endpoint that answers, "" when none does. */
  readonly endpointName: string;
  readonly request: HttpRequest;
  /** Calls a hook; its value, or the value of its promise, comes to `decide`. Failures come to `hookFailed`. */
  consult<First>(
    hook: (first: First, request: HttpRequest) => unknown,
    first: First,
    phase: "onResponse" | "onError",
  ): void;
  /** What the hook gave back cannot be carried out. */
  hookFailed(error: ScriptError, phase: "onResponse" | "onError"): void;
  /** Another answer instead of the one that came. */
  answerInstead(answer: OwnAnswer): void;
  refuseInstead(decision: RejectDecision): void;
  /** @throws ScriptError when it cannot be sent (again) */
  sendElsewhere(decision: ToDecision): void;
  /** Calls `act` in a turn of its own, after `ms`. */
  later(ms: number, act: () => void): void;
  /** The client gets nothing, or no more. */
  giveUp(): void;
  /** Whoever sends the answer may go on. */
  writable(): void;
  /** The answer has been sent to its end. */
  answered(): void;
}

export class ScriptedResponse {
  readonly #owner: ResponseOwner;
  #held: HeldAnswer | null = null;
  /** The held answer is a switch of protocols. */
  #switching: { readonly switched: SwitchedLater; readonly protocol: string } | null = null;
  #failing: Failure | null = null;
  #errorAsked = false;
  /** What comes is not sent any more: the script's own answer is. */
  #replaced = false;
  /** Inside a call of whoever sends the answer. */
  #calling = false;

  constructor(owner: ResponseOwner) {
    this.#owner = owner;
  }

  /** The script is being asked about it. */
  get isHeld(): boolean {
    return this.#held !== null;
  }

  get heldBytes(): number {
    return this.#held === null ? 0 : this.#held.length;
  }

  /** An endpoint may have seen the request that failed. */
  get wasSent(): boolean {
    return this.#failing?.sent === true;
  }

  /** The answer is that of a failure. */
  get isFailure(): boolean {
    return this.#failing !== null;
  }

  /** The next head is that of a failure. */
  failing(reason: ReasonCode, status: number, detail: string, sent: boolean): void {
    this.#failing = { reason, status, detail, sent };
  }

  // From whoever sends the answer

  sendHead(status: number, phrase: string, fields: ForwardedFields, body: BodyLength, close: boolean): void {
    if (this.#replaced) return;
    const owner = this.#owner;
    const { onError, onResponse } = owner.script;
    const failing = this.#failing;
    const asks = failing === null ? onResponse !== null : onError !== null && !this.#errorAsked;
    if (!asks) {
      owner.client.sendHead(status, phrase, fields, body, close);
      return;
    }
    this.#held = new HeldAnswer(status, phrase, fields, body, close);
    // About a failure it is asked when whoever failed is done.
    if (failing !== null || onResponse === null) return;
    this.#calling = true;
    const { endpointName: endpoint } = owner;
    owner.consult(onResponse, { status, headers: new ForwardedView(fields), endpoint }, "onResponse");
    this.#calling = false;
  }

  /** Whoever sent the answer is done with it. @returns whether the script is asked about a failure now */
  askAboutFailure(): boolean {
    const { onError } = this.#owner.script;
    const failing = this.#failing;
    if (failing === null || onError === null || this.#errorAsked || this.#held === null) return false;
    this.#errorAsked = true;
    this.#owner.consult(onError, failing, "onError");
    return true;
  }

  sendBody(bytes: Uint8Array, from: number, to: number, room: number): void {
    if (this.#replaced) return;
    if (this.#held !== null) this.#held.append(bytes, from, to);
    else this.#owner.client.sendBody(bytes, from, to, room);
  }

  sendEnd(trailers: ForwardedFields | null): void {
    if (this.#replaced) return;
    if (this.#held !== null) this.#held.end(trailers);
    else this.#owner.client.sendEnd(trailers);
  }

  /** The protocol is switched: what is sent then waits while the script is asked. */
  switchProtocols(reason: string, fields: ForwardedFields, protocol: string): ByteStream {
    const owner = this.#owner;
    const { onResponse } = owner.script;
    if (onResponse === null) return owner.client.switchProtocols(reason, fields, protocol);
    const switched = new SwitchedLater((then) => {
      this.forsake();
      owner.giveUp();
      owner.later(0, then);
    });
    const switching = { switched, protocol };
    this.#switching = switching;
    this.#held = new HeldAnswer(101, reason, fields, NO_BODY, false);
    const { endpointName: endpoint } = owner;
    const view = { status: 101, headers: new ForwardedView(fields), endpoint };
    // The tunnel has to be there first: its other side is told of another answer.
    owner.later(0, () => {
      if (this.#switching === switching) owner.consult(onResponse, view, "onResponse");
    });
    return switched;
  }

  /** The client has left while the script was asked about a switch. @returns whether it was */
  switchLost(reason: CloseReason): boolean {
    const switching = this.#switching;
    if (switching === null) return false;
    this.#switching = null;
    this.#held = null;
    switching.switched.end(reason);
    return true;
  }

  // From the script

  decide(value: unknown, phase: "onResponse" | "onError"): void {
    const held = this.#held;
    if (held === null) return;
    const owner = this.#owner;
    try {
      const decision = decisionOf(value);
      if (decision === null) {
        this.release();
        return;
      }
      switch (decision.kind) {
        case "pass":
          if (this.#switching !== null && decision.status !== null) {
            throw new ScriptError("status: a switch of protocols is a 101");
          }
          held.change(decision, owner.isHead);
          this.release();
          return;
        case "respond":
          this.replace();
          owner.answerInstead(decision.answer);
          return;
        case "reject":
          this.replace();
          owner.refuseInstead(decision);
          return;
        case "to":
          if (phase !== "onError") throw new ScriptError("to: the request has been answered already");
          owner.sendElsewhere(decision);
          return;
        default:
          throw new ScriptError(`${decision.kind}: there is an answer already; pass, respond or reject`);
      }
    } catch (error) {
      if (!(error instanceof ScriptError)) throw error;
      owner.hookFailed(error, phase);
    }
  }

  /** The answer goes to the client, as it is by now. */
  release(): void {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    const owner = this.#owner;
    const switching = this.#switching;
    if (switching !== null) {
      this.#switching = null;
      switching.switched.become(owner.client.switchProtocols(held.phrase, held.fields, switching.protocol));
      return;
    }
    held.sendTo(owner.client);
    if (held.ended) owner.answered();
    else if (!this.#calling && owner.client.backlogBytes <= HIGH_WATER_BYTES) owner.writable();
  }

  /** Nothing of the answer is sent. */
  replace(): void {
    const switching = this.#switching;
    this.#held = null;
    this.#switching = null;
    this.#replaced = true;
    switching?.switched.end({ code: "aborted", detail: "a script has given another answer" });
  }

  /** Whoever sent the answer has given it up before its end: there is nothing to decide any more. */
  forsake(): void {
    if (this.#held === null || this.#held.ended) return;
    this.#held = null;
    this.#switching = null;
    this.#replaced = true;
  }

  /** The request is sent anew: what comes next is another answer. */
  again(): void {
    this.#held = null;
    this.#failing = null;
  }
}
