/**
 * Which call into a script a worker is in, written where the supervisor can read it when the worker is not heard of any more: a
 * loop that never ends lets the worker say nothing. The worker pays for two copies of a short text a call, and no system call.
 *
 *     0 phase (0 = none)   1, 2, 3 lengths of: 8 method   24 script   232 target
 *
 * Texts are UTF-8, cut to what there is room for.
 */

import type { ScriptCallNote, ScriptPhase, ScriptSubject } from "../../script/script_faults.ts";

/** Of the whole note. */
export const NOTE_BYTES = 480;
const METHOD = 8;
const SCRIPT = 24;
const TARGET = 232;
/** Of each text; fits a byte, and what stands before the next. */
const [METHOD_BYTES, SCRIPT_BYTES, TARGET_BYTES] = [16, 208, 248];
/** By their numbers, from 1 on. */
const PHASES: readonly ScriptPhase[] = ["onRequest", "onResponse", "onError", "onLog", "handler"];

const UTF8 = new TextEncoder();

/** Written by the worker. */
export class ScriptNote implements ScriptCallNote {
  readonly #bytes: Uint8Array;
  readonly #scriptPlace: Uint8Array;
  readonly #targetPlace: Uint8Array;
  #script = "";
  #method = "";

  /** @param bytes NOTE_BYTES, all 0 */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#scriptPlace = bytes.subarray(SCRIPT, SCRIPT + SCRIPT_BYTES);
    this.#targetPlace = bytes.subarray(TARGET, TARGET + TARGET_BYTES);
  }

  begin(script: string, phase: ScriptPhase, { method, uri }: NonNullable<ScriptSubject>): void {
    const bytes = this.#bytes;
    if (script !== this.#script) {
      this.#script = script;
      bytes[2] = UTF8.encodeInto(script, this.#scriptPlace).written;
    }
    if (method !== this.#method) {
      this.#method = method;
      bytes[1] = UTF8.encodeInto(method, bytes.subarray(METHOD, METHOD + METHOD_BYTES)).written;
    }
    bytes[3] = UTF8.encodeInto(uri, this.#targetPlace).written;
    bytes[0] = PHASES.indexOf(phase) + 1;
  }

  end(): void {
    this.#bytes[0] = 0;
  }
}

/** The call that a worker is in. */
export interface NotedCall {
  readonly script: string;
  readonly phase: ScriptPhase;
  readonly method: string;
  readonly uri: string;
}

/** `outside`: it is in no call about a request; what goes on after an `await` is in none either. */
export type Noted = NotedCall | "outside";

/**
 * What a worker has noted. The bytes come out of its memory, so nothing is taken for granted.
 *
 * @returns null when this is no note
 */
export function readNote(bytes: Uint8Array): Noted | null {
  const [phaseNumber = 0, methodBytes = 0, scriptBytes = 0, targetBytes = 0] = bytes;
  if (phaseNumber === 0 && bytes.length === NOTE_BYTES) return "outside";
  const phase = PHASES[phaseNumber - 1];
  if (
    phase === undefined || bytes.length !== NOTE_BYTES || methodBytes > METHOD_BYTES ||
    scriptBytes > SCRIPT_BYTES || targetBytes > TARGET_BYTES
  ) return null;
  const text = (at: number, length: number) => new TextDecoder().decode(bytes.subarray(at, at + length));
  return {
    script: text(SCRIPT, scriptBytes),
    phase,
    method: text(METHOD, methodBytes),
    uri: text(TARGET, targetBytes),
  };
}
