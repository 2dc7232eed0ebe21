/** Where in a script an error came from, read off its stack: the platforms write frames alike, and mark scripts differently. */
import { fileURLToPath } from "node:url";

/** What the URL of a module ends with that belongs to a script, where modules are loaded one by one. */
export const GENERATION_MARK = "?sluice=";

export interface StackPlace {
  /** Absolute path. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** 0 = its name does not tell. */
  readonly generation: number;
}

/** `at name (PLACE:line:column)`, `at PLACE:line:column`, with or without `async`. */
const FRAME = /(?:\(|\bat (?:async )?)((?:(?:sluice-)?file:\/\/)?(?:\/|[A-Za-z]:[\\/]).*?):(\d+):(\d+)\)?$/;
const GENERATION = /\?sluice=(\d+)$/;

/** All places of the stack that are files, innermost first. Never throws. */
export function scriptPlaces(error: Error): readonly StackPlace[] {
  let stack: string;
  try {
    stack = String(error.stack ?? "");
  } catch {
    return [];
  }
  const places: StackPlace[] = [];
  for (const line of stack.split("\n")) {
    const match = FRAME.exec(line);
    if (match === null) continue;
    const [, name = "", row, column] = match;
    const file = pathOf(name.replace(GENERATION, ""));
    if (file === null) continue;
    const generation = Number(GENERATION.exec(name)?.[1] ?? 0);
    places.push({ file, line: Number(row), column: Number(column), generation });
  }
  return places;
}

function pathOf(name: string): string | null {
  const url = name.replace(/^sluice-/, "");
  if (!url.startsWith("file://")) return name;
  try {
    return fileURLToPath(url);
  } catch {
    return null;
  }
}
