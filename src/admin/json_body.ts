/** Reads the JSON object of a request's body member by member, and complains about everything at once. */

const MAX_NAMES = 100;

export class JsonBody {
  readonly #members: Readonly<Record<string, unknown>>;
  readonly #asked = new Set<string>();
  readonly #problems: string[] = [];

  /** @param text "" is an empty object */
  constructor(text: string) {
    let value: unknown = {};
    if (text.trim() !== "") {
      try {
        value = JSON.parse(text);
      } catch {
        this.#problems.push("the body is not JSON");
      }
    }
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (!isObject) this.#problems.push("the body is not a JSON object");
    this.#members = isObject ? value as Record<string, unknown> : {};
  }

  /** What is wrong, one line each; unknown members are. Empty = nothing. */
  get problems(): readonly string[] {
    const unknown = Object.keys(this.#members).filter((name) => !this.#asked.has(name));
    const known = [...this.#asked].join(", ");
    return [
      ...this.#problems,
      ...unknown.slice(0, 10).map((name) =>
        `${JSON.stringify(name.slice(0, 50))}: unknown${known === "" ? "" : `; there is ${known}`}`
      ),
    ];
  }

  /** A text that is not empty; null or absent = null. */
  text(name: string): string | null {
    const value = this.#take(name);
    if (value === null) return null;
    if (typeof value === "string" && value !== "") return value;
    this.#problems.push(`${name}: must be a text that is not empty`);
    return null;
  }

  requiredText(name: string): string {
    const before = this.#problems.length;
    const value = this.text(name);
    if (value === null && this.#problems.length === before) this.#problems.push(`${name}: is missing`);
    return value ?? "";
  }

  /** A whole number of milliseconds or bytes, 0 to `most`. Null is `fallback`, as is nothing. */
  number<T extends number | null>(name: string, most: number, fallback: T): number | T {
    const value = this.#take(name);
    if (value === null) return fallback;
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most) return value;
    this.#problems.push(`${name}: must be a whole number, 0 to ${most}`);
    return fallback;
  }

  flag(name: string): boolean {
    const value = this.#take(name);
    if (value === null) return false;
    if (typeof value === "boolean") return value;
    this.#problems.push(`${name}: must be true or false`);
    return false;
  }

  /** A list of texts; null or absent = empty. */
  texts(name: string): readonly string[] {
    const value = this.#take(name);
    if (value === null) return [];
    if (Array.isArray(value) && value.length <= MAX_NAMES && value.every((one) => typeof one === "string")) {
      return value as string[];
    }
    this.#problems.push(`${name}: must be a list of at most ${MAX_NAMES} texts`);
    return [];
  }

  /** @param fallback what null or nothing means; without one the member must be there */
  oneOf<const W extends string>(name: string, words: readonly W[], fallback?: W): W {
    const value = fallback === undefined ? this.requiredText(name) : this.text(name) ?? fallback;
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    if (value !== "") this.#problems.push(`${name}: must be ${words.join(" or ")}`);
    return words[0] as W;
  }

  #take(name: string): unknown {
    this.#asked.add(name);
    return Object.hasOwn(this.#members, name) ? this.#members[name] ?? null : null;
  }
}
