/**
 * In which line of a YAML file a value stands. The parser gives no positions, so this reads the indentation
 * of block style on its own. It serves messages only: where it does not understand the file (flow style over
 * several lines, text that looks like keys) it answers with the line of an enclosing key, or null.
 */

import { quoteIfOdd } from "./shown.ts";

interface Frame {
  readonly indent: number;
  readonly kind: "key" | "item";
  readonly path: string;
  /** Items seen so far in the sequence below this key. */
  items: number;
}

const KEY = /^(?:"([^"]*)"|'([^']*)'|([^\s#"'{}[\],&*!|>%@`][^#]*?))\s*:(?:\s+(.*))?$/;

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
    while (rest === "-" || rest.startsWith("- ")) {
      const parent = popTo(stack, root, indent, false);
      const path = `${parent.path}[${parent.items++}]`;
      stack.push({ indent, kind: "item", path, items: 0 });
      if (!found.has(path)) found.set(path, index + 1);
      const after = rest.slice(1).trimStart();
      indent += rest.length - after.length;
      rest = after;
    }
    const match = KEY.exec(rest);
    if (match === null) continue;
    const parent = popTo(stack, root, indent, true);
    const key = quoteIfOdd(match[1] ?? match[2] ?? match[3] ?? "");
    const path = parent.path === "" ? key : `${parent.path}.${key}`;
    stack.push({ indent, kind: "key", path, items: 0 });
    if (!found.has(path)) found.set(path, index + 1);
    if (/^(?:[&!]\S*\s+)*[|>][-+0-9]*\s*(?:#.*)?$/.test(match[4] ?? "")) scalarIndent = indent;
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
