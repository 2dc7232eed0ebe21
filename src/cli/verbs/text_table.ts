/** Columns of text for people. */

/**
 * Rows with their columns aligned, two spaces apart; nothing at the end of a line.
 *
 * @param right columns whose cells stand at the right
 */
export function alignedRows(
  rows: readonly (readonly string[])[],
  right: ReadonlySet<number> = new Set(),
): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => widths[column] = Math.max(widths[column] ?? 0, cell.length));
  }
  return rows.map((row) =>
    row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return right.has(column) ? cell.padStart(width) : cell.padEnd(width);
    }).join("  ").trimEnd()
  );
}

/** `3d 4h`, `2h 5m`, `1m 30s`, `45s`, `250ms`: two units at most. */
export function roughDuration(ms: number): string {
  if (!(ms >= 0)) return "?";
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const seconds = Math.floor(ms / 1000);
  const units: readonly (readonly [string, number])[] = [["d", 86_400], ["h", 3600], ["m", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  const parts = units.slice(first, first + 2).map(([name, size], index) => {
    const before = index === 0 ? Infinity : units[first]?.[1] ?? Infinity;
    return [Math.floor((seconds % before) / size), name] as const;
  });
  return parts.filter(([value], index) => index === 0 || value > 0).map(([value, name]) => `${value}${name}`)
    .join(" ");
}

/** `12 MiB`, `1.5 GiB`, `640 KiB`, `12 B`. */
export function roughSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit] ?? ""}`;
}
