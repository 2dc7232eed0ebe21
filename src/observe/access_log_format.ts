/**
 * One line for an exchange. Strings are joined by hand: `JSON.stringify` of an object per request costs
 * several times as much. Every value that a peer had a hand in goes through `escape.ts`.
 */

import type { ExchangeRecord } from "../exchange/exchange_record.ts";
import { cut, escapeJson, escapeQuoted, withoutUserinfo } from "./escape.ts";
import { commonTime, isoTime } from "./log_time.ts";

/** A line with its end. */
export type FormatRecord = (record: ExchangeRecord) => string;

const MAX_METHOD = 64;
const MAX_TARGET = 2048;
const MAX_HOST = 256;
const MAX_DETAIL = 512;
const MAX_AGENT = 512;

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
  ["attempts", "endpoints tried"],
  ["reused", "the last attempt used an idle connection"],
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

/** One JSON object, ASCII only. */
export function formatJson(record: ExchangeRecord): string {
  return `{"time":"${isoTime(record.startedAtWallMs)}","id":${record.id}` +
    `,"client":"${escapeJson(record.clientAddress)}","client_port":${record.clientPort}` +
    `,"scheme":"${record.scheme}","method":"${escapeJson(cut(record.method, MAX_METHOD))}"` +
    `,"host":"${escapeJson(cut(record.host, MAX_HOST))}"` +
    `,"target":"${escapeJson(withoutUserinfo(record.target, MAX_TARGET))}"` +
    `,"protocol":"HTTP/1.${record.protocolMinor}","status":${record.status}` +
    `,"reason":"${record.reason}","detail":"${escapeJson(cut(record.detail, MAX_DETAIL))}"` +
    `,"route":"${escapeJson(record.route)}","upstream":"${escapeJson(record.upstream)}"` +
    `,"endpoint":"${escapeJson(record.endpoint)}","attempts":${record.attempts}` +
    `,"reused":${record.reusedConnection},"upgraded":${record.upgraded}` +
    `,"request_head":${record.requestHeadBytes},"request_body":${record.requestBodyBytes}` +
    `,"response_body":${record.responseBodyBytes}` +
    `,"bytes_in":${record.bytesIn},"bytes_out":${record.bytesOut}` +
    `,"head_ms":${ms(record.headMs)},"body_ms":${ms(record.bodyMs)},"wait_ms":${ms(record.waitMs)}` +
    `,"held_ms":${ms(record.heldMs)},"connect_ms":${ms(record.connectMs)}` +
    `,"first_byte_ms":${ms(record.firstByteMs)},"total_ms":${ms(record.totalMs)}` +
    `,"user_agent":"${escapeJson(cut(record.userAgent, MAX_AGENT))}"` +
    `,"referer":"${escapeJson(withoutUserinfo(record.referer, MAX_TARGET))}"}\n`;
}

/** NCSA common log format; the user is always "-", since credentials are not looked at. */
export function formatCommon(record: ExchangeRecord): string {
  return commonFields(record) + "\n";
}

/** Combined log format: common, then Referer and User-Agent. */
export function formatCombined(record: ExchangeRecord): string {
  const referer = record.referer === "" ? "-" : escapeQuoted(withoutUserinfo(record.referer, MAX_TARGET));
  const agent = record.userAgent === "" ? "-" : escapeQuoted(cut(record.userAgent, MAX_AGENT));
  return `${commonFields(record)} "${referer}" "${agent}"\n`;
}

function commonFields(record: ExchangeRecord): string {
  const client = record.clientAddress === "" ? "-" : word(record.clientAddress);
  const request = record.method === ""
    ? "-"
    : `${escapeQuoted(cut(record.method, MAX_METHOD))} ${
      escapeQuoted(withoutUserinfo(record.target, MAX_TARGET))
    }` +
      ` HTTP/1.${record.protocolMinor}`;
  const bytes = record.responseBodyBytes === 0 ? "-" : String(record.responseBodyBytes);
  const status = record.status === 0 ? "000" : String(record.status);
  return `${client} - - [${commonTime(record.startedAtWallMs)}] "${request}" ${status} ${bytes}`;
}

/** A field without quotes around it: no spaces either. */
function word(text: string): string {
  return escapeQuoted(text).replaceAll(" ", "_");
}

/** Milliseconds with at most three decimals; a number that JSON can hold, whatever comes in. */
function ms(value: number): number {
  return Number.isFinite(value) ? Math.round(value * 1000) / 1000 : 0;
}
