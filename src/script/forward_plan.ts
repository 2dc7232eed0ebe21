/** How a request goes on, as a decision says: checked when the decision is made, applied to each request it is made for. */

import { shown } from "../answer/field_values.ts";
import { ScriptError } from "../answer/script_error.ts";
import type { ExchangeSettings } from "../exchange/exchange_settings.ts";
import type { Head } from "../http/head.ts";
import { isAuthority } from "../http/target.ts";
import { FieldEdits } from "./field_edits.ts";
import { hash } from "./hash.ts";
import { checkRequestName } from "./request_names.ts";
import type { Forward } from "./script_types.ts";

const KNOWN = [
  "headers",
  "add",
  "host",
  "uri",
  "method",
  "body",
  "key",
  "endpoint",
  "retry",
  "mirror",
  "log",
];
/** Origin form (RFC 9112 §3.2.1): visible ASCII but "#". */
const ORIGIN_FORM = /^\/[\x21\x22\x24-\x7e]*$/;
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
/** Methods whose messages are framed unlike others: nothing may be made of them, or become one. */
const FRAMED_APART = ["HEAD", "TRACE", "CONNECT"];
const UTF8 = new TextEncoder();

export class ForwardPlan {
  readonly #edits: FieldEdits | null;
  readonly host: string | null;
  readonly uri: string | null;
  readonly method: string | null;
  readonly body: Uint8Array | null;
  /** What it is balanced by; null = by nothing. */
  readonly key: number | null;
  readonly endpoint: string | null;
  readonly retries: boolean;
  readonly mirror: string | null;
  readonly log: Readonly<Record<string, string | number>> | null;
  // Made last, since decisions are made once and requests repeat.
  #settingsFrom: ExchangeSettings | null = null;
  #settingsMade: ExchangeSettings | null = null;

  private constructor(how: Forward) {
    this.#edits = FieldEdits.of(how.headers, how.add, checkRequestName);
    this.host = how.host ?? null;
    this.uri = how.uri ?? null;
    this.method = how.method ?? null;
    this.body = typeof how.body === "string" ? UTF8.encode(how.body) : how.body ?? null;
    const key = how.key ?? how.endpoint;
    this.key = key === undefined ? null : hash(key);
    this.endpoint = how.endpoint ?? null;
    this.retries = how.retry ?? true;
    this.mirror = how.mirror ?? null;
    this.log = how.log ?? null;
  }

  /** @returns null when nothing is said. @throws ScriptError */
  static of(how: Forward | undefined): ForwardPlan | null {
    if (how === undefined || how === null) return null;
    check(how);
    return new ForwardPlan(how);
  }

  /** The head that is sent instead of this one. @throws ScriptError when it cannot be */
  headOf(head: Head): Head {
    const { uri, method } = this;
    const edits = this.#edits;
    if (edits === null && uri === null && method === null) return head;
    if (method !== null && method !== head.method && FRAMED_APART.includes(head.method)) {
      throw new ScriptError(`method: a ${head.method} stays one`);
    }
    const section = edits === null ? head.section : edits.applyTo(head.section);
    return head.changed(section, method ?? head.method, uri ?? head.target);
  }

  settingsOf(settings: ExchangeSettings): ExchangeSettings {
    const { host } = this;
    if (host === null) return settings;
    if (this.#settingsFrom === settings && this.#settingsMade !== null) return this.#settingsMade;
    this.#settingsFrom = settings;
    return this.#settingsMade = { ...settings, hostHeader: { kind: "fixed", value: host } };
  }
}

/** @throws ScriptError */
function check(how: Forward): void {
  if (typeof how !== "object") throw new ScriptError(`${shown(how)}: an object is needed`);
  const unknown = Object.keys(how).find((key) => !KNOWN.includes(key));
  if (unknown !== undefined) {
    throw new ScriptError(`${unknown}: there is no such word here; one of ${KNOWN.join(", ")}`);
  }
  const { host, uri, method, body, key, endpoint, retry, mirror, log } = how;
  if (host !== undefined && (typeof host !== "string" || host === "" || !isAuthority(host, 0, host.length))) {
    throw new ScriptError(`host: ${shown(host)} is no host, with or without a port`);
  }
  if (uri !== undefined && (typeof uri !== "string" || !ORIGIN_FORM.test(uri))) {
    throw new ScriptError(
      `uri: ${shown(uri)}: path and query are needed, from "/" on, spaces and others escaped`,
    );
  }
  if (method !== undefined && (typeof method !== "string" || !METHOD.test(method))) {
    throw new ScriptError(`method: ${shown(method)} is none`);
  }
  if (method !== undefined && FRAMED_APART.includes(method)) {
    throw new ScriptError(`method: nothing becomes a ${method}`);
  }
  if (body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array)) {
    throw new ScriptError(`body: ${shown(body)} is no text and no Uint8Array`);
  }
  for (const [name, value] of Object.entries({ key, endpoint, mirror })) {
    if (value !== undefined && typeof value !== "string") {
      throw new ScriptError(`${name}: ${shown(value)} is no text`);
    }
  }
  if (retry !== undefined && typeof retry !== "boolean") {
    throw new ScriptError(`retry: ${shown(retry)} is no boolean`);
  }
  if (log === undefined) return;
  if (typeof log !== "object" || log === null) throw new ScriptError(`log: ${shown(log)} is no object`);
  for (const [name, value] of Object.entries(log)) {
    if (!/^[a-z][a-z0-9_]{0,39}$/.test(name)) {
      throw new ScriptError(`log: ${shown(name)}: a name has small letters, digits and "_", at most 40`);
    }
    if (typeof value !== "string" && typeof value !== "number") {
      throw new ScriptError(`log: ${name}: ${shown(value)} is no text and no number`);
    }
  }
}
