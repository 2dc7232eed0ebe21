/** Numbers as people read them: short, with a unit. For the status page and `sluice top`. */

/** `0.4 ms`, `12 ms`, `1.4 s`, `2 m 5 s`; null is unknown. */
export function msWords(ms: number | null): string {
  if (ms === null) return "–";
  if (ms < 0.95) return ms === 0 ? "0 ms" : `${ms.toFixed(1)} ms`;
  if (ms < 9.95) return `${trimmed(ms.toFixed(1))} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${trimmed((ms / 1000).toFixed(1))} s`;
  return durationWords(ms);
}

/** The two largest units: `5 s`, `2 m 5 s`, `1 h 12 m`, `3 d 4 h`. */
export function durationWords(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** `950`, `12,345`, `1.2 M`. */
export function countWords(count: number): string {
  if (count < 1_000_000) return groups(Math.round(count));
  if (count < 1_000_000_000) return `${trimmed((count / 1e6).toFixed(count < 1e7 ? 2 : 1))} M`;
  return `${trimmed((count / 1e9).toFixed(count < 1e10 ? 2 : 1))} G`;
}

/** Per second: `0`, `0.4`, `12.5`, `1,234`. */
export function rateWords(perSecond: number): string {
  if (perSecond < 0.05) return perSecond > 0 ? "< 0.1" : "0";
  return perSecond < 99.95 ? trimmed(perSecond.toFixed(1)) : groups(Math.round(perSecond));
}

const SIZES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `512 B`, `3.4 KiB`, `70 MiB`. */
export function sizeWords(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < SIZES.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : trimmed(value.toFixed(1))} ${SIZES[unit]}`;
}

function trimmed(text: string): string {
  return text.replace(/\.0+$/, "");
}

function groups(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ",");
}
