/** One call of a verb: its arguments, its requests to the running Sluice, and the printing of replies. */

import type { Runtime, System } from "../../../runtime/contract/contract.ts";
import type { CallReply, CallRequest, HttpCall } from "../../client/http_call.ts";
import { isRefusalCode, REFUSALS } from "../../admin/refusal_table.ts";
import { parseDuration, printDuration } from "../../config/values/quantity.ts";
import type { Arguments } from "../arguments.ts";
import { callControl, type ControlAddress } from "../../control/control_address.ts";
import { EXIT, type ExitCode } from "../../process/shared/exit_code.ts";
import { print, printError } from "../../serve/output.ts";

/** How long a verb waits for an answer that should come at once. */
export const ANSWER_MS = 10_000;
/** What an answer may come later than what it waits for. */
export const GRACE_MS = 5_000;

/** A verb is asked again of the process that has taken the place of the one that was asked; that many times in all. */
const MOST_TIMES_ASKED = 5;

/** A verb cannot go on; what is wrong has to be said. */
export class VerbFailure extends Error {
  readonly exit: ExitCode;
  /** Further lines. */
  readonly lines: readonly string[];
  /** The refusal's code, or one of ours. */
  readonly code: string;

  constructor(exit: ExitCode, code: string, message: string, lines: readonly string[] = []) {
    super(message);
    this.name = "VerbFailure";
    this.exit = exit;
    this.code = code;
    this.lines = lines;
  }
}

/** The JSON object of a reply. */
export type ReplyObject = Readonly<Record<string, unknown>>;

export class VerbCall {
  readonly runtime: Runtime;
  readonly system: System;
  readonly args: Arguments;
  /** The answer is to be printed as JSON. */
  readonly json: boolean;
  readonly #find: () => Promise<ControlAddress>;
  #control: ControlAddress | null = null;

  /** @param find is called with the first request, so that a verb says first what is wrong with its flags */
  constructor(runtime: Runtime, system: System, args: Arguments, find: () => Promise<ControlAddress>) {
    this.runtime = runtime;
    this.system = system;
    this.args = args;
    this.#find = find;
    this.json = args.own.has("json");
  }

  /** The Sluice that is asked, once something has been asked. */
  get control(): ControlAddress {
    if (this.#control === null) throw new Error("nobody has been asked yet");
    return this.#control;
  }

  /** The only operand, null when there is none. */
  get operand(): string | null {
    return this.args.operands[0] ?? null;
  }

  /** The value of a flag, null when it was not given. */
  text(name: string): string | null {
    return this.args.own.get(name) ?? null;
  }

  /** Milliseconds of a flag, `fallback` when it was not given. @throws VerbFailure */
  duration<T extends number | null>(name: string, fallback: T, least = 0): number | T {
    const raw = this.text(name);
    return raw === null ? fallback : durationOf(name, raw, least);
  }

  /** Longest wait, from `--timeout`. @throws VerbFailure */
  timeout<T extends number | null>(fallback: T): number | T {
    return this.duration("timeout", fallback, 1);
  }

  /**
   * Sends a request and reads the object of its reply. @throws VerbFailure for everything else
   *
   * @param timeoutMs null = as long as it takes
   */
  async request(
    method: "GET" | "POST",
    path: string,
    body: object,
    timeoutMs: number | null,
  ): Promise<ReplyObject> {
    const request = { method, target: path, body: method === "GET" ? "" : JSON.stringify(body), timeoutMs };
    return await this.insist(async () => this.read(await (await this.begin(request)).reply));
  }

  /** Asks again when the process that was asked has been replaced by an upgrade meanwhile. */
  async insist<T>(act: () => Promise<T>): Promise<T> {
    for (let times = 1;; times++) {
      try {
        return await act();
      } catch (error) {
        const replaced = error instanceof VerbFailure && error.code === "replaced";
        if (!replaced || times === MOST_TIMES_ASKED) throw error;
        this.forget();
      }
    }
  }

  /** Forgets which Sluice was asked: the next request looks anew for the one that serves. */
  forget(): void {
    this.#control = null;
  }

  /** Sends a request; its reply is left to the caller. @throws VerbFailure when there is no Sluice to ask */
  async begin(request: CallRequest): Promise<HttpCall> {
    this.#control ??= await this.#find();
    return callControl(this.runtime, this.control, request);
  }

  /** The object of a reply. @throws VerbFailure */
  read(reply: CallReply): ReplyObject {
    const { path } = this.control;
    if (!reply.ok) throw noReply(path, reply);
    const content = objectOf(reply.body);
    if (content === null) throw garbage(path, `${reply.status} with something that is no JSON object`);
    if (reply.status === 200) return content;
    const { error, message, problems } = content;
    if (typeof error !== "string" || typeof message !== "string") {
      throw garbage(path, `status ${reply.status} without an error`);
    }
    const lines = Array.isArray(problems) ? problems.map(printable) : [];
    const exit = isRefusalCode(error) ? REFUSALS[error].exit : EXIT.failed;
    throw new VerbFailure(exit, error, printable(message), lines);
  }

  /** Prints the reply: JSON when that was asked for, else `text`. */
  tell(content: unknown, text: string): void {
    print(this.system, (this.json ? JSON.stringify(content) : text) + "\n");
  }
}

/** Says why a verb failed: on standard error, with --json as an object on standard output as well. */
export function tellFailure(system: System, args: Arguments, failure: VerbFailure): ExitCode {
  if (args.own.has("json")) {
    const { code: error, message, lines: problems } = failure;
    print(system, JSON.stringify({ error, message, ...(problems.length === 0 ? {} : { problems }) }) + "\n");
  }
  const lines = failure.lines.map((line) => `  ${line}\n`).join("");
  printError(system, `sluice ${args.command}: ${failure.message}\n${lines}`);
  return failure.exit;
}

/** @throws VerbFailure */
export function durationOf(name: string, raw: string, least: number): number {
  const parsed = parseDuration(raw);
  if (!parsed.ok) {
    const [fault] = parsed.faults;
    const meant = fault?.suggestion ?? null;
    throw usage(`--${name}: ${fault?.message ?? ""}${meant === null ? "" : `; did you mean ${meant}?`}`);
  }
  if (parsed.value < least) {
    throw usage(`--${name}: must be ${least === 1 ? "more than 0" : `at least ${printDuration(least)}`}`);
  }
  return parsed.value;
}

export function usage(message: string): VerbFailure {
  return new VerbFailure(EXIT.usage, "usage", message);
}

export function noReply(path: string, reply: CallReply & { readonly ok: false }): VerbFailure {
  const detail = printable(reply.detail);
  switch (reply.code) {
    case "absent":
      return new VerbFailure(
        EXIT.failed,
        "not_running",
        `nobody answers at ${path}: is Sluice running? (start it, or say where it is with --control PATH)`,
      );
    case "timeout":
      return new VerbFailure(EXIT.timeout, "timeout", `${path}: ${detail}; --timeout sets how long to wait`);
    case "garbage":
      return garbage(path, detail);
    case "closed":
      return new VerbFailure(EXIT.failed, "closed", `${path}: ${detail}; has Sluice just ended?`);
    case "failed":
      return new VerbFailure(EXIT.failed, "failed", `${path}: cannot be reached: ${detail}`);
  }
}

export function garbage(path: string, detail: string): VerbFailure {
  return new VerbFailure(
    EXIT.failed,
    "garbage",
    `${path}: what answers there is no Sluice: ${detail}; say where Sluice is with --control PATH`,
  );
}

/** The object that a text is as JSON, or null. */
export function objectOf(text: string): ReplyObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value as ReplyObject : null;
  } catch {
    return null;
  }
}

/** Text from outside without what would steer a terminal, cut to a length that can be read. */
export function printable(value: unknown): string {
  // deno-lint-ignore no-control-regex -- they are what is taken out
  return String(value).slice(0, 1000).replace(/[\x00-\x1f\x7f-\x9f]+/g, " ");
}
