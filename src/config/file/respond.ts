/** Fixed answers: `respond: "hello world"`, or `respond: {status, body, headers}`. */

import type { RespondConfig } from "../values/config.ts";
import { asMap } from "../values/mapping.ts";
import { quoteIfOdd, shown } from "../values/shown.ts";
import { TOKEN } from "../values/special_types.ts";
import { suggest } from "../values/suggest.ts";
import { count, type Fault, fault, mustBe, type Parsed, success } from "../values/value_type.ts";

const KEYS = ["status", "body", "headers"];
const STATUS = count(200, 599);

/** Fields that say how the message is framed or connected; those are ours to write. */
const OURS = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Never throws. `headers` of the result holds a Content-Type wherever there is a body. */
export function parseRespond(raw: unknown): Parsed<RespondConfig> {
  if (typeof raw === "string") return success(complete(200, raw, []));
  const map = asMap(raw);
  if (map === null) return mustBe("the text of a body, or a mapping with status, body and headers", raw);
  const faults: Fault[] = [];
  let status = 200;
  let body = "";
  let headers: readonly (readonly [string, string])[] = [];
  for (const [key, value] of map) {
    if (key === "status") {
      const parsed = STATUS.parse(value);
      if (parsed.ok) status = parsed.value;
      else faults.push(...within(".status", parsed.faults));
    } else if (key === "body") {
      if (typeof value === "string") body = value;
      else faults.push({ at: ".body", message: `must be text, got ${shown(value)}`, suggestion: null });
    } else if (key === "headers") {
      const parsed = parseHeaders(value);
      if (parsed.ok) headers = parsed.value;
      else faults.push(...within(".headers", parsed.faults));
    } else {
      const message = `unknown key: respond has ${KEYS.join(", ")}`;
      faults.push({ at: `.${quoteIfOdd(key)}`, message, suggestion: suggest(key, KEYS) });
    }
  }
  if (body !== "" && (status === 204 || status === 205 || status === 304)) {
    faults.push({ at: ".body", message: `must be empty with status ${status}: remove it`, suggestion: null });
  }
  return faults.length > 0 ? { ok: false, faults } : success(complete(status, body, headers));
}

function parseHeaders(raw: unknown): Parsed<readonly (readonly [string, string])[]> {
  const map = asMap(raw);
  if (map === null) return fault(`must be a mapping of field names and values, got ${shown(raw)}`);
  const faults: Fault[] = [];
  const headers: (readonly [string, string])[] = [];
  for (const [name, value] of map) {
    const at = `.${quoteIfOdd(name)}`;
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    if (!TOKEN.test(name)) {
      faults.push({ at, message: "is not a valid field name", suggestion: null });
    } else if (OURS.has(name.toLowerCase())) {
      faults.push({ at, message: "is set by Sluice itself: remove it", suggestion: null });
    } else {
      for (const one of values) {
        if (typeof one === "string" && isFieldValue(one)) {
          headers.push([name, one]);
        } else {
          const message = `must be printable ASCII without spaces at its ends, got ${shown(one)}`;
          faults.push({ at, message, suggestion: null });
        }
      }
    }
  }
  return faults.length > 0 ? { ok: false, faults } : success(headers);
}

/** Stricter than RFC 9110 §5.5: no obs-text, so that the text has one meaning in every encoding. */
function isFieldValue(value: string): boolean {
  return /^(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?$/.test(value);
}

function complete(
  status: number,
  body: string,
  headers: readonly (readonly [string, string])[],
): RespondConfig {
  const typed = body === "" || headers.some(([name]) => name.toLowerCase() === "content-type");
  return {
    status,
    body,
    headers: typed ? headers : [["Content-Type", "text/plain; charset=utf-8"], ...headers],
  };
}

function within(at: string, faults: readonly Fault[]): Fault[] {
  return faults.map((found) => ({ ...found, at: at + found.at }));
}
