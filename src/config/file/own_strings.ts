/** Strings that do not keep the text alive that they are a part of. */

/**
 * A copy of what a parser has made, with strings of its own. Engines do not copy a part of a string but refer to the
 * whole, so a name of ten characters keeps a file of a megabyte in memory. Names outlive the configuration that they
 * came with: in counters, and in endpoints that a reload takes over. Linear in the number of values; what occurs
 * several times (aliases) is one value in the copy as well.
 */
export function withOwnStrings(value: unknown): unknown {
  return copied(value, new Map());
}

function copied(value: unknown, known: Map<object, unknown>): unknown {
  if (typeof value === "string") return ownString(value);
  if (typeof value !== "object" || value === null) return value;
  const before = known.get(value);
  if (before !== undefined) return before;
  if (Array.isArray(value)) {
    const list: unknown[] = [];
    known.set(value, list);
    for (const each of value) list.push(copied(each, known));
    return list;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // What tags make (sets, dates) is refused by the option's reader.
  if (prototype !== Object.prototype && prototype !== null) return value;
  const map: Record<string, unknown> = Object.create(prototype);
  known.set(value, map);
  for (const [key, each] of Object.entries(value)) {
    // Not an assignment, which would set the prototype for the key __proto__.
    const member = { value: copied(each, known), writable: true, enumerable: true, configurable: true };
    Object.defineProperty(map, ownString(key), member);
  }
  return map;
}

/** No operation on strings promises a copy; a parser of JSON makes one, in JavaScriptCore and in V8. */
function ownString(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string;
}
