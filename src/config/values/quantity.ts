/** Durations and sizes: numbers that carry their unit. */

import { shown } from "./shown.ts";
import { fault, mustBe, type Parsed, success, type ValueType } from "./value_type.ts";

const DURATION_UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

const SIZE_UNITS: readonly (readonly [unit: string, bytes: number])[] = [
  ["TiB", 2 ** 40],
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
  ["TB", 1e12],
  ["GB", 1e9],
  ["MB", 1e6],
  ["KB", 1e3],
  ["B", 1],
];

/** Spellings that people try, and the unit they mean. */
const DURATION_WORDS: Readonly<Record<string, string>> = {
  msec: "ms",
  msecs: "ms",
  millis: "ms",
  sec: "s",
  secs: "s",
  second: "s",
  seconds: "s",
  min: "m",
  mins: "m",
  minute: "m",
  minutes: "m",
  hr: "h",
  hour: "h",
  hours: "h",
  day: "d",
  days: "d",
};

const SIZE_WORDS: Readonly<Record<string, string>> = {
  k: "KiB",
  m: "MiB",
  g: "GiB",
  t: "TiB",
  ki: "KiB",
  mi: "MiB",
};

/** Digits that a double holds exactly even after the multiplication. */
const QUANTITY = /^(\d{1,12}(?:\.\d{1,6})?)\s*([A-Za-z]*)$/;

/** Milliseconds of `250ms`, `30s`, `5m`, `1h`, `1d` or `0`; whole ones only. */
export function parseDuration(raw: unknown): Parsed<number> {
  return parseQuantity(raw, DURATION_UNITS, DURATION_WORDS, "a duration like 250ms, 30s, 5m, 1h or 1d", "s");
}

/** Bytes of `64KiB`, `1MiB`, `10MB`, `512B` or `0`; `KB` is 1,000 and `KiB` 1,024. */
export function parseSize(raw: unknown): Parsed<number> {
  return parseQuantity(raw, SIZE_UNITS, SIZE_WORDS, "a size like 512B, 64KiB, 1MiB or 10MB", "B");
}

function parseQuantity(
  raw: unknown,
  units: readonly (readonly [string, number])[],
  words: Readonly<Record<string, string>>,
  accepts: string,
  plainUnit: string,
): Parsed<number> {
  if (raw === "0") return success(0);
  const match = typeof raw === "string" ? QUANTITY.exec(raw) : null;
  if (match === null) return mustBe(accepts, raw);
  const [, digits = "", unitText = ""] = match;
  if (unitText === "") {
    return fault(`needs a unit: must be ${accepts}, got ${shown(raw)}`, digits + plainUnit);
  }
  const lower = unitText.toLowerCase();
  const unit = units.find(([name]) => name === unitText) ??
    units.find(([name]) => name.toLowerCase() === lower);
  if (unit === undefined) {
    const meant = Object.hasOwn(words, lower) ? words[lower] : undefined;
    return mustBe(accepts, raw, meant === undefined ? null : digits + meant);
  }
  const value = Math.round(Number(digits) * unit[1] * 1e6) / 1e6;
  if (!Number.isSafeInteger(value)) {
    return fault(
      `must come to a whole number of ${units === SIZE_UNITS ? "bytes" : "milliseconds"}, got ${shown(raw)}`,
    );
  }
  return success(value);
}

/** The shortest exact text: `90s`, `1h`, `0`. */
export function printDuration(ms: number): string {
  return printQuantity(ms, DURATION_UNITS);
}

/** The shortest exact text in binary units: `64KiB`, `1000B`, `0`. */
export function printSize(bytes: number): string {
  return printQuantity(bytes, SIZE_UNITS.filter(([name]) => name.length !== 2));
}

function printQuantity(value: number, units: readonly (readonly [string, number])[]): string {
  if (value === 0) return "0";
  const unit = units.find(([, factor]) => value % factor === 0);
  return unit === undefined ? String(value) : `${value / unit[1]}${unit[0]}`;
}

/** A duration between two bounds, themselves written as durations. */
export function duration(min: string, max: string): ValueType<number> {
  return bounded("duration", min, max, parseDuration, printDuration);
}

/** A size between two bounds, themselves written as sizes. */
export function size(min: string, max: string): ValueType<number> {
  return bounded("size", min, max, parseSize, printSize);
}

/** A duration, or `auto`, which is null. */
export function durationOrAuto(min: string, max: string): ValueType<number | null> {
  return orAuto("duration", duration(min, max));
}

/** A size, or `auto`, which is null. */
export function sizeOrAuto(min: string, max: string): ValueType<number | null> {
  return orAuto("size", size(min, max));
}

function orAuto(name: string, inner: ValueType<number>): ValueType<number | null> {
  return {
    name: `${name} | auto`,
    accepts: `${inner.accepts}, or auto`,
    many: false,
    parse: (raw) => raw === "auto" ? success(null) : inner.parse(raw),
    print: (value) => value === null ? "auto" : inner.print(value),
  };
}

function bounded(
  name: string,
  min: string,
  max: string,
  parse: (raw: unknown) => Parsed<number>,
  print: (value: number) => string,
): ValueType<number> {
  const low = bound(parse(min));
  const high = bound(parse(max));
  return {
    name,
    accepts: `a ${name}, ${min} to ${max}`,
    many: false,
    parse(raw) {
      const parsed = parse(raw);
      if (parsed.ok && (parsed.value < low || parsed.value > high)) return mustBe(`${min} to ${max}`, raw);
      return parsed;
    },
    print,
  };
}

function bound(parsed: Parsed<number>): number {
  if (!parsed.ok) throw new Error("a bound in the option table is not readable");
  return parsed.value;
}
