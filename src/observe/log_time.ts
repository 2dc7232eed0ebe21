/**
 * Times in logs. Lines come in bursts within one second, so the part up to the second is kept, for the whole process: it
 * depends on nothing but the time.
 */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

let isoSecond = NaN;
let isoText = "";
let commonSecond = NaN;
let commonText = "";

/** `2026-10-04T12:00:00.123Z`. */
export function isoTime(wallMs: number): string {
  const second = Math.floor(wallMs / 1000);
  if (second !== isoSecond) {
    isoText = new Date(clamp(second)).toISOString().slice(0, 19);
    isoSecond = second;
  }
  const ms = (wallMs - second * 1000) | 0;
  return `${isoText}.${ms < 10 ? "00" : ms < 100 ? "0" : ""}${ms}Z`;
}

/** `04/Oct/2026:12:00:00 +0000`, always UTC. */
export function commonTime(wallMs: number): string {
  const second = Math.floor(wallMs / 1000);
  if (second !== commonSecond) {
    const date = new Date(clamp(second));
    const [day, month, year] = [
      two(date.getUTCDate()),
      MONTHS[date.getUTCMonth()] ?? "",
      date.getUTCFullYear(),
    ];
    const clock = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
    commonText = `${day}/${month}/${year}:${clock} +0000`;
    commonSecond = second;
  }
  return commonText;
}

/** A clock that is badly wrong must not make `Date` throw. */
function clamp(second: number): number {
  return Number.isFinite(second) ? Math.max(0, Math.min(second, 253_402_300_799)) * 1000 : 0;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
