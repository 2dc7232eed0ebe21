/**
 * One line for an exchange. Strings are joined by hand: `JSON.stringify` of an object per request costs
 * several times as much. Every value that a peer had a hand in goes through `escape.ts`.
 */

import type { LogFields } from "../exchange/ended_exchange.ts";
import type { ExchangeRecord } from "../exchange/exchange_record.ts";
import type { FieldSection } from "../http/field_section.ts";
import { cut, escapeJson, escapeQuoted, withoutUserinfo } from "./escape.ts";
import { commonTime, isoTime } from "./log_time.ts";

/** A line with its end. */
export type FormatRecord = (record: ExchangeRecord) => string;

const MAX_USER = 64;
const MAX_METHOD = 64;
const MAX_TARGET = 2048;
const MAX_HOST = 256;
const MAX_DETAIL = 512;
const MAX_AGENT = 512;
const MAX_SCRIPT_VALUE = 128;

/** The keys of a JSON line, in their order, for the reference. Every line has all of them. */
export const JSON_KEYS: readonly (readonly [key: string, meaning: string])[] = [
  ["time", "when the first byte of the request arrived, UTC with milliseconds"],
  ["id", "number of the exchange; each further worker process begins at another multiple of 100,000,000,000"],
  ["client", "address of the client"],
  ["client_port", "its port"],
  ["scheme", "`http` or `https`, as the client sees it"],
  ["method", "request method"],
  ["host", "host the request was for"],
  ["target", "request target as received, cut at 2,048 characters, without user names and passwords"],
  ["protocol", "`HTTP/1.1` or `HTTP/1.0`"],
  ["status", "status sent to the client, 0 when none was"],
  ["reason", 'why it failed, see "Reason codes"; empty when nothing failed'],
  ["detail", "more about the reason"],
  ["route", "name of the route: host and path"],
  ["upstream", "name of the upstream"],
  ["endpoint", "the endpoint that answered, or was tried last"],
  ["attempts", "times that it was sent to an endpoint, answers to challenges included"],
  ["reused", "the connection of the last attempt had carried a request before"],
  ["upgraded", "the connection became a tunnel"],
  ["request_head", "bytes of the request's head"],
  ["request_body", "bytes of the request's body"],
  ["response_body", "bytes of the response's body"],
  ["bytes_in", "bytes received from the client, framing included"],
  ["bytes_out", "bytes sent to the client, framing included"],
  ["head_ms", "milliseconds until the request's head was complete"],
  ["body_ms", "reading a body ahead, before the request took a slot"],
  ["wait_ms", "waiting: held or queued"],
  ["held_ms", "the part of `wait_ms` in which no endpoint could be reached"],
  ["connect_ms", "opening a connection"],
  ["first_byte_ms", "from sending the request to the first byte of the response"],
  ["total_ms", "from the first byte of the request to the last of the response"],
  ["user_agent", "the client's User-Agent"],
  ["referer", "its Referer"],
];

/** Keys of lines that have something to tell under them. */
export const OCCASIONAL_JSON_KEYS: readonly (readonly [key: string, meaning: string])[] = [
  ["user", "after `scheme`: the user of the forward proxy"],
  ["script", "before `user_agent`: what a script has said of the request, `log` of its decision"],
];

/**
 * What a format writes of a request's fields. Requests that share a field section share this, too: to escape
 * a long User-Agent takes longer than all the rest of a line.
 */
class FieldText {
  readonly format: FormatRecord;
  readonly host: string;
  /** User-Agent and Referer: the end of the line. */
  readonly end: string;

  constructor(format: FormatRecord, host: string, end: string) {
    this.format = format;
    this.host = host;
    this.end = end;
  }
}

/** Whether `format` needs nothing of a record with this section that it does not know already. */
export function isKept({ memo }: FieldSection, format: FormatRecord): boolean {
  return memo !== null && memo.logged instanceof FieldText && memo.logged.format === format;
}

function fieldText(
  record: ExchangeRecord,
  format: FormatRecord,
  write: (record: ExchangeRecord) => FieldText,
): FieldText {
  const memo = record.section === null ? null : record.section.memo;
  if (memo === null) return write(record);
  const { logged } = memo;
  if (logged instanceof FieldText && logged.format === format) return logged;
  const text = write(record);
  memo.logged = text;
  return text;
}

function jsonFieldText(record: ExchangeRecord): FieldText {
  return new FieldText(
    formatJson,
    `","host":"${escapeJson(cut(record.host, MAX_HOST))}","target":"`,
    `,"user_agent":"${escapeJson(cut(record.userAgent, MAX_AGENT))}"` +
      `,"referer":"${escapeJson(withoutUserinfo(record.referer, MAX_TARGET))}"}\n`,
  );
}

/** One JSON object, ASCII only. */
export function formatJson(record: ExchangeRecord): string {
  const { host, end } = fieldText(record, formatJson, jsonFieldText);
  return `{"time":"${isoTime(record.startedAtWallMs)}","id":${record.id}` +
    `,"client":"${escapeJson(record.clientAddress)}","client_port":${record.clientPort}` +
    (record.scheme === "https" ? ',"scheme":"https"' : ',"scheme":"http"') +
    (record.user === "" ? ',"method":"' : `,"user":"${escapeJson(cut(record.user, MAX_USER))}","method":"`) +
    escapeJson(cut(record.method, MAX_METHOD)) + host +
    escapeJson(withoutUserinfo(record.target, MAX_TARGET)) +
    (record.protocol === "1.1"
      ? '","protocol":"HTTP/1.1","status":'
      : `","protocol":"HTTP/${record.protocol}","status":`) +
    record.status + outcome(record) + place(record) +
    (record.credential === "" ? "" : `,"credential":"${record.credential}"`) +
    `,"attempts":${record.attempts}` +
    (record.reusedConnection ? ',"reused":true' : ',"reused":false') +
    (record.upgraded ? ',"upgraded":true' : ',"upgraded":false') +
    `,"request_head":${record.requestHeadBytes},"request_body":${record.requestBodyBytes}` +
    `,"response_body":${record.responseBodyBytes}` +
    `,"bytes_in":${record.bytesIn},"bytes_out":${record.bytesOut}` +
    durations(record) +
    `,"first_byte_ms":${ms(record.firstByteMs)},"total_ms":${ms(record.totalMs)}` +
    (record.logFields === null ? end : scriptText(record.logFields) + end);
}

/** What a script has said of the request; names are checked when it says so. */
function scriptText(fields: LogFields): string {
  const texts = Object.entries(fields).map(([name, value]) =>
    `"${name}":` +
    (typeof value === "number" && Number.isFinite(value)
      ? String(value)
      : `"${escapeJson(cut(String(value), MAX_SCRIPT_VALUE))}"`)
  );
  return `,"script":{${texts.join(",")}}`;
}

function outcome({ reason, detail }: ExchangeRecord): string {
  if (reason === "" && detail === "") return ',"reason":"","detail":""';
  return `,"reason":"${reason}","detail":"${escapeJson(cut(detail, MAX_DETAIL))}"`;
}

let placeRoute = "";
let placeUpstream = "";
let placeEndpoint = "";
let placeText = "";

/**
 * One request after the other goes the same way. The last text is kept for the whole process: it depends on nothing but
 * the three names, and goes to our own logs only.
 */
function place({ route, upstream, endpoint }: ExchangeRecord): string {
  if (placeText === "" || endpoint !== placeEndpoint || route !== placeRoute || upstream !== placeUpstream) {
    placeRoute = route;
    placeUpstream = upstream;
    placeEndpoint = endpoint;
    placeText = `,"route":"${escapeJson(route)}","upstream":"${escapeJson(upstream)}"` +
      `,"endpoint":"${escapeJson(endpoint)}"`;
  }
  return placeText;
}

/** What takes time in few requests only. */
function durations({ headMs, bodyMs, waitMs, heldMs, connectMs }: ExchangeRecord): string {
  if (headMs === 0 && bodyMs === 0 && waitMs === 0 && heldMs === 0 && connectMs === 0) {
    return ',"head_ms":0,"body_ms":0,"wait_ms":0,"held_ms":0,"connect_ms":0';
  }
  return `,"head_ms":${ms(headMs)},"body_ms":${ms(bodyMs)},"wait_ms":${ms(waitMs)}` +
    `,"held_ms":${ms(heldMs)},"connect_ms":${ms(connectMs)}`;
}

/** NCSA common log format; the user is "-" but for those of a forward proxy. */
export function formatCommon(record: ExchangeRecord): string {
  return commonFields(record) + "\n";
}

/** Combined log format: common, then Referer and User-Agent. */
export function formatCombined(record: ExchangeRecord): string {
  return commonFields(record) + fieldText(record, formatCombined, combinedFieldText).end;
}

function combinedFieldText(record: ExchangeRecord): FieldText {
  const referer = record.referer === "" ? "-" : escapeQuoted(withoutUserinfo(record.referer, MAX_TARGET));
  const agent = record.userAgent === "" ? "-" : escapeQuoted(cut(record.userAgent, MAX_AGENT));
  return new FieldText(formatCombined, "", ` "${referer}" "${agent}"\n`);
}

function commonFields(record: ExchangeRecord): string {
  const client = record.clientAddress === "" ? "-" : word(record.clientAddress);
  const request = record.method === ""
    ? "-"
    : `${escapeQuoted(cut(record.method, MAX_METHOD))} ${
      escapeQuoted(withoutUserinfo(record.target, MAX_TARGET))
    }` +
      ` HTTP/${record.protocol}`;
  const bytes = record.responseBodyBytes === 0 ? "-" : String(record.responseBodyBytes);
  const status = record.status === 0 ? "000" : String(record.status);
  const user = record.user === "" ? "-" : word(cut(record.user, MAX_USER));
  return `${client} - ${user} [${commonTime(record.startedAtWallMs)}] "${request}" ${status} ${bytes}`;
}

/** A field without quotes around it: no spaces either. */
function word(text: string): string {
  return escapeQuoted(text).replaceAll(" ", "_");
}

/**
 * `.001` to `.999` by thousandths, without zeros at the end, each made when it is needed first. Making texts of
 * fractions takes an engine long.
 */
const FRACTIONS: string[] = [""];

function fraction(thousandths: number): string {
  return FRACTIONS[thousandths] ??= String(thousandths / 1000).slice(1);
}

/** Milliseconds with at most three decimals; a number that JSON can hold, whatever comes in. */
function ms(value: number): string {
  if (value === 0) return "0";
  const micros = Math.round(value * 1000);
  if (!(micros >= 0 && micros < 1e12)) return Number.isFinite(value) ? String(micros / 1000) : "0";
  const whole = Math.floor(micros / 1000);
  return whole + fraction(micros - whole * 1000);
}
