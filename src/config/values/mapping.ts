/** Mappings out of a YAML file. */

/** Its keys are not trusted: `__proto__` may be one of them. */
export type Mapping = ReadonlyMap<string, unknown>;

/** The entries of a plain object; null for anything else (lists, text, what YAML tags make). */
export function asMap(value: unknown): Mapping | null {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return null;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return null;
  return new Map(Object.entries(value));
}
