/** What goes wrong in scripts, told to whoever logs and counts it. The process goes on whatever it is. */

/** Where in a script something happened; `body` is a body that it gives piece by piece. */
export type ScriptPhase =
  | "onStart"
  | "onRequest"
  | "onResponse"
  | "onError"
  | "onLog"
  | "onStop"
  | "handler"
  | "body"
  | "timer"
  /** A rejection that nobody handles. */
  | "promise"
  /** Anything else that it does by itself. */
  | "event";

/** The request that it happened to; null for none. */
export type ScriptSubject = { readonly method: string; readonly uri: string } | null;

/** Keeps which call into a script is under way, for whoever finds that it does not come to its end. Calls of each request's own only. */
export interface ScriptCallNote {
  begin(script: string, phase: ScriptPhase, request: NonNullable<ScriptSubject>): void;
  end(): void;
}

/** Must not throw, and must not call back. */
export interface ScriptFaults {
  /** It threw, its promise was rejected, or what it gave back cannot be carried out. */
  failed(script: string, phase: ScriptPhase, error: unknown, subject: ScriptSubject): void;
  /** Its promise was not settled in time. */
  timedOut(script: string, phase: ScriptPhase, afterMs: number, subject: ScriptSubject): void;
  /** One call kept everything else waiting for so long. */
  slow(script: string, phase: ScriptPhase, ms: number, subject: ScriptSubject): void;
}

/** Nobody is told. */
export const NO_FAULTS: ScriptFaults = { failed() {}, timedOut() {}, slow() {} };
