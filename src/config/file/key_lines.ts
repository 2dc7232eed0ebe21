/**
 * In which line of a YAML file a value stands. The parser gives no positions, so this reads the indentation
 * of block style on its own. It serves messages only: where it does not understand the file (flow style over
 * several lines, text that looks like keys) it answers with the line of an enclosing key, or null.
 */

import { quoteIfOdd } from "../values/shown.ts";

interface Frame {
  readonly indent: number;
  readonly kind: "key" | "item";
  readonly path: string;
  /** Items seen so far in the sequence below this key. */
  items: number;
}

/** Deeper values have the line of an enclosing one; keeps the scan linear in hostile text. */
const MAX_DEPTH = 32;

/** Line of the value at a path like `upstreams.api.endpoints[2].weight`, counted from 1. */
export type LineOf = (path: string) => number | null;

/** Reads the text once, in linear time; the answer is a few map look-ups. */
export function keyLines(text: string): LineOf {
  const lines = scan(text);
  return (path) => {
    for (let rest = path; rest !== ""; rest = parentOf(rest)) {
      const line = lines.get(rest);
      if (line !== undefined) return line;
    }
    return null;
  };
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("."), path.lastIndexOf("[")));
}

function scan(text: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const root: Frame = { indent: -1, kind: "key", path: "", items: 0 };
  const stack: Frame[] = [root];
  /** Lines indented deeper than this are the text of a block scalar. */
  let scalarIndent = Infinity;
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    let rest = line.trimStart();
    let indent = line.length - rest.length;
    if (rest === "") continue;
    if (indent > scalarIndent) continue;
    scalarIndent = Infinity;
    if (rest.startsWith("#") || rest.startsWith("---")) continue;
    while ((rest === "-" || rest.startsWith("- ")) && stack.length < MAX_DEPTH) {
      const parent = popTo(stack, root, indent, false);
      const path = `${parent.path}[${parent.items++}]`;
      stack.push({ indent, kind: "item", path, items: 0 });
      if (!found.has(path)) found.set(path, index + 1);
      const after = rest.slice(1).trimStart();
      indent += rest.length - after.length;
      rest = after;
    }
    const entry = splitEntry(rest);
    if (entry === null) continue;
    const parent = popTo(stack, root, indent, true);
    if (stack.length >= MAX_DEPTH) continue;
    const key = quoteIfOdd(entry.key);
    const path = parent.path === "" ? key : `${parent.path}.${key}`;
    stack.push({ indent, kind: "key", path, items: 0 });
    if (!found.has(path)) found.set(path, index + 1);
    if (/^(?:[&!]\S*\s+)*[|>][-+0-9]*\s*(?:#.*)?$/.test(entry.value)) scalarIndent = indent;
  }
  return found;
}

/** Removes the frames that ended before a key (or an item) at `indent`; answers with the enclosing one. */
function popTo(stack: Frame[], root: Frame, indent: number, isKey: boolean): Frame {
  for (;;) {
    const top = stack[stack.length - 1] ?? root;
    // An item may stand at the indentation of the key it belongs to.
    const encloses = top.indent < indent || (top.indent === indent && !isKey && top.kind === "key");
    if (encloses || top === root) return top;
    stack.pop();
  }
}

/** Key and value of a line that begins an entry of a mapping; null for other lines. */
function splitEntry(line: string): { readonly key: string; readonly value: string } | null {
  const first = line.charAt(0);
  if (first === '"' || first === "'") {
    const close = line.indexOf(first, 1);
    const after = line.slice(close + 1).trimStart();
    if (close < 0 || !/^:(?:\s|$)/.test(after)) return null;
    return { key: line.slice(1, close), value: after.slice(1).trim() };
  }
  if ("{}[],&*!|>%@`".includes(first)) return null;
  let colon = line.indexOf(":");
  while (colon > 0 && colon + 1 < line.length && !/\s/.test(line.charAt(colon + 1))) {
    colon = line.indexOf(":", colon + 1);
  }
  if (colon <= 0) return null;
  const key = line.slice(0, colon).trimEnd();
  return key.includes(" #") ? null : { key, value: line.slice(colon + 1).trim() };
}
