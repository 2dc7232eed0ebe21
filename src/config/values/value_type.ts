/**
 * The types of option values. Every source (flag, environment, YAML file, the table's own default) gives
 * text, or lists and mappings of text, and every one of them goes through the same parser here: a value
 * means the same wherever it was written.
 */

import { shown } from "./shown.ts";
import { suggest } from "./suggest.ts";

/** What is wrong with a value. `at` is where inside it: "", `[2]`, `[2].weight`. */
export interface Fault {
  readonly at: string;
  readonly message: string;
  /** What to write instead, or null. */
  readonly suggestion: string | null;
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly Fault[] };

export interface ValueType<T> {
  /** One word for the reference: "duration", "size", … */
  readonly name: string;
  /** What is accepted, to be read after "must be": `a duration, 0 to 1d`. */
  readonly accepts: string;
  /** Several values are fine: a YAML list, a repeated flag, or text with commas. */
  readonly many: boolean;
  /** Never throws, whatever `raw` is. */
  parse(raw: unknown): Parsed<T>;
  /** Text that `parse` reads back as `value`; one per element where `many`. */
  print(value: T): string | readonly string[];
}

export function success<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

export function fault(message: string, suggestion: string | null = null, at = ""): Parsed<never> {
  return { ok: false, faults: [{ at, message, suggestion }] };
}

/** The usual fault: what was expected, and what came instead. */
export function mustBe(accepts: string, raw: unknown, suggestion: string | null = null): Parsed<never> {
  return fault(`must be ${accepts}, got ${shown(raw)}`, suggestion);
}

const DIGITS = /^(0|[1-9]\d{0,15})$/;

/** A whole number in decimal. */
export function count(min: number, max: number): ValueType<number> {
  const accepts = `a whole number, ${min} to ${max}`;
  return {
    name: "count",
    accepts,
    many: false,
    parse(raw) {
      if (typeof raw !== "string" || !DIGITS.test(raw)) {
        const plain = typeof raw === "string" ? raw.replace(/[_,' ]/g, "").replace(/^0+(?=\d)/, "") : "";
        return mustBe(accepts, raw, plain !== raw && DIGITS.test(plain) ? plain : null);
      }
      const value = Number(raw);
      return value < min || value > max ? mustBe(`${min} to ${max}`, raw) : success(value);
    },
    print: String,
  };
}

/** A whole number in decimal, or `auto`, which is null. */
export function countOrAuto(min: number, max: number): ValueType<number | null> {
  const number = count(min, max);
  const accepts = `${number.accepts}, or auto`;
  return {
    name: "count | auto",
    accepts,
    many: false,
    parse(raw) {
      if (raw === "auto") return success(null);
      const parsed = number.parse(raw);
      return parsed.ok ? parsed : mustBe(accepts, raw, parsed.faults[0]?.suggestion ?? null);
    },
    print: (value) => value === null ? "auto" : String(value),
  };
}

export function boolean(): ValueType<boolean> {
  const accepts = "true or false";
  return {
    name: "boolean",
    accepts,
    many: false,
    parse(raw) {
      if (raw === "true") return success(true);
      if (raw === "false") return success(false);
      const word = typeof raw === "string" ? raw.toLowerCase() : "";
      if (["on", "yes", "1", "y", "true"].includes(word)) return mustBe(accepts, raw, "true");
      if (["off", "no", "0", "n", "false"].includes(word)) return mustBe(accepts, raw, "false");
      return mustBe(accepts, raw);
    },
    print: String,
  };
}

/** One of a few words. */
export function oneOf<const W extends string>(...words: readonly W[]): ValueType<W> {
  const accepts = words.length < 2
    ? words.join("")
    : `${words.slice(0, -1).join(", ")} or ${words[words.length - 1] ?? ""}`;
  return {
    name: words.join(" | "),
    accepts,
    many: false,
    parse(raw) {
      const found = words.find((word) => word === raw);
      if (found !== undefined) return success(found);
      return mustBe(accepts, raw, typeof raw === "string" ? suggest(raw, words) : null);
    },
    print: (value) => value,
  };
}

/** Text of a given form; `accepts` describes it. */
export function text(name: string, accepts: string, form: RegExp): ValueType<string> {
  return {
    name,
    accepts,
    many: false,
    parse(raw) {
      return typeof raw === "string" && form.test(raw) ? success(raw) : mustBe(accepts, raw);
    },
    print: (value) => value,
  };
}

/** Path of a file; relative ones start at the working directory. */
export function path(): ValueType<string> {
  // deno-lint-ignore no-control-regex -- control bytes are what must not be in a path we print
  return text("path", "the path of a file, without control characters", /^[^\x00-\x1f\x7f]{1,4096}$/);
}

/** A list of `item`. Text is split at commas; the elements of a YAML list are not split again. */
export function list<T>(item: ValueType<T>, name: string, accepts: string): ValueType<readonly T[]> {
  return {
    name,
    accepts,
    many: true,
    parse(raw) {
      const items = listItems(raw);
      if (items === null) return mustBe(accepts, raw);
      const values: T[] = [];
      const faults: Fault[] = [];
      for (const [index, element] of items.entries()) {
        const at = Array.isArray(raw) ? `[${index}]` : "";
        const parsed = item.parse(element);
        if (parsed.ok) {
          values.push(parsed.value);
        } else {
          faults.push(...parsed.faults.map((found) => ({ ...found, at: at + found.at })));
        }
      }
      return faults.length > 0 ? { ok: false, faults } : success(values);
    },
    print: (values) => values.map((value) => String(item.print(value))),
  };
}

/** The elements of a list value: of a YAML list, or of text with commas ("" is the empty list). */
export function listItems(raw: unknown): readonly unknown[] | null {
  if (Array.isArray(raw)) return raw;
  if (typeof raw !== "string") return null;
  return raw.trim() === "" ? [] : raw.split(",").map((part) => part.trim());
}

/** Parses every item; `key` names what must not occur twice, null = may. */
export function unique<T>(
  items: readonly unknown[],
  indexed: boolean,
  parse: (raw: unknown) => Parsed<T>,
  key: (value: T) => string | null,
): Parsed<readonly T[]> {
  const values: T[] = [];
  const faults: Fault[] = [];
  const seen = new Set<string>();
  for (const [index, raw] of items.entries()) {
    const at = indexed ? `[${index}]` : "";
    const parsed = parse(raw);
    if (!parsed.ok) {
      faults.push(...parsed.faults.map((found) => ({ ...found, at: at + found.at })));
      continue;
    }
    const name = key(parsed.value);
    if (name !== null && seen.has(name)) {
      faults.push({ at, message: `${name} is listed twice: remove one of the two`, suggestion: null });
    } else {
      if (name !== null) seen.add(name);
      values.push(parsed.value);
    }
  }
  return faults.length > 0 ? { ok: false, faults } : success(values);
}
