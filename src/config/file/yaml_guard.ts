/**
 * Looks for what makes a YAML parser work for minutes, before it is given the file: its cost grows with the
 * square of the keys in one mapping, with the cube of nested keys, and each alias is searched for in all that
 * stands before it. One pass over the text, linear; no text of a sensible configuration is refused.
 */

/** Deeper than any option, with room for what is merely wrong. */
const MAX_DEPTH = 32;
/**
 * Comparisons that the parser may need for keys and aliases: a mapping of 6,000 keys, or twenty of 1,400.
 * Takes it about a third of a second.
 */
const MAX_COMPARISONS = 20_000_000;

export interface YamlHazard {
  /** Counted from 1. */
  readonly line: number;
  readonly message: string;
}

/** The first such place, or null. Text that is not YAML is not judged here. */
export function yamlHazard(text: string): YamlHazard | null {
  return new Scanner(text).run();
}

/** A mapping or list that is open: a block at its column, or a bracket. */
interface Open {
  readonly column: number;
  readonly bracket: string;
  keys: number;
}

class Scanner {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;
  /** Blocks, then the brackets inside the innermost of them. */
  readonly #open: Open[] = [];
  #brackets = 0;
  #nodes = 0;
  #comparisons = 0;
  #message = "";

  constructor(text: string) {
    this.#text = text;
  }

  run(): YamlHazard | null {
    while (this.#at < this.#text.length && this.#message === "") this.#token();
    return this.#message === "" ? null : { line: this.#line, message: this.#message };
  }

  /** Reads one token that stands at `#at`, and the space in front of it. */
  #token(): void {
    const text = this.#text;
    const char = text.charAt(this.#at);
    if (this.#isMarkerAt(this.#at)) {
      this.#at += 3;
      this.#open.length = this.#brackets = 0;
      return;
    }
    switch (char) {
      case " ":
      case "\t":
        this.#at++;
        return;
      case "\r":
      case "\n":
        return this.#newLine();
      case "#":
        return this.#skipLine();
      case "-":
      case ":":
      case "?":
        if (this.#isSpaceAt(this.#at + 1)) return this.#indicator(char);
        return this.#plain();
      case "&":
      case "!":
      case "*":
        return this.#property(char);
      case "|":
      case ">":
        return this.#brackets > 0 ? this.#plain() : this.#blockText();
      case '"':
      case "'":
        return this.#quoted(char);
      case "[":
      case "{":
        this.#at++;
        this.#brackets++;
        return this.#push({ column: this.#column(), bracket: char, keys: 0 });
      case "]":
      case "}":
        return this.#close();
      case ",":
        this.#at++;
        if (this.#open.at(-1)?.bracket === "{") this.#countKey();
        return;
      default:
        return this.#plain();
    }
  }

  /** "- ", "? " and ": " */
  #indicator(char: string): void {
    if (char === "?") {
      this.#message = "keys that begin with ? are not supported: write text, then a colon";
      return;
    }
    if (this.#brackets === 0) this.#entry(this.#column(), char === ":");
    this.#at++;
  }

  /** An anchor, a tag or an alias. */
  #property(char: string): void {
    const column = this.#column();
    if (char === "*") this.#compare(++this.#nodes);
    this.#at++;
    while (this.#at < this.#text.length && !this.#endsProperty()) this.#at++;
    if (char === "*") this.#afterValue(column);
  }

  #endsProperty(): boolean {
    return this.#isSpaceAt(this.#at) || (this.#brackets > 0 && ",[]{}".includes(this.#text.charAt(this.#at)));
  }

  /** Text without quotes, up to what ends it in this line. */
  #plain(): void {
    const text = this.#text;
    const column = this.#column();
    const from = this.#at;
    for (; this.#at < text.length; this.#at++) {
      const char = text.charAt(this.#at);
      if (char === "\n" || char === "\r") return;
      if (char === ":" && this.#at > from && this.#endsKey(this.#at)) return this.#key(column);
      if (char === "#" && this.#at > from && this.#isSpaceAt(this.#at - 1)) return;
      if (this.#brackets > 0 && ",[]{}".includes(char)) return;
    }
  }

  #quoted(quote: string): void {
    const text = this.#text;
    const column = this.#column();
    this.#at++;
    for (; this.#at < text.length; this.#at++) {
      const char = text.charAt(this.#at);
      if (char === "\n") this.#startLine(this.#at + 1);
      else if (char === "\\" && quote === '"' && text.charAt(this.#at + 1) !== "\n") this.#at++;
      else if (char === quote) {
        this.#at++;
        return this.#afterValue(column);
      }
    }
  }

  #close(): void {
    this.#at++;
    if (this.#brackets === 0) return;
    this.#brackets--;
    this.#open.pop();
    if (this.#text.charAt(this.#skipBlanks(this.#at)) === ":") {
      this.#message = "keys must be text, not a list or a mapping";
    }
  }

  /** What began at `column` is a key when a colon follows. */
  #afterValue(column: number): void {
    const colon = this.#skipBlanks(this.#at);
    if (this.#text.charAt(colon) !== ":") return;
    this.#at = colon;
    this.#key(column);
  }

  /** A key began at `column`; `#at` is its colon. */
  #key(column: number): void {
    this.#at++;
    if (this.#brackets === 0) this.#entry(column, true);
    else this.#nodes++;
  }

  /** A list item or a key of a block. */
  #entry(column: number, isKey: boolean): void {
    while ((this.#open.at(-1)?.column ?? -1) > column) this.#open.pop();
    if (this.#open.at(-1)?.column !== column) this.#push({ column, bracket: "", keys: 0 });
    if (isKey) this.#countKey();
    else this.#nodes++;
  }

  #countKey(): void {
    this.#nodes++;
    const open = this.#open.at(-1);
    if (open !== undefined) this.#compare(open.keys++);
  }

  #compare(times: number): void {
    this.#comparisons += times;
    if (this.#comparisons > MAX_COMPARISONS) this.#message = "has too many keys or aliases for one file";
  }

  #push(open: Open): void {
    this.#nodes++;
    this.#open.push(open);
    if (this.#open.length > MAX_DEPTH) this.#message = "is nested too deeply";
  }

  /** A block of text: its lines are indented deeper than what it belongs to. */
  #blockText(): void {
    const indent = this.#open.at(-1)?.column ?? -1;
    this.#skipLine();
    while (this.#at < this.#text.length) {
      this.#newLine();
      const start = this.#at;
      let first = start;
      while (this.#text.charAt(first) === " ") first++;
      const blank = first >= this.#text.length || "\r\n".includes(this.#text.charAt(first));
      if (!blank && (first - start <= indent || this.#isMarkerAt(start))) return;
      this.#skipLine();
    }
  }

  /** "---" or "..." as the first word of a line: a document begins or ends. */
  #isMarkerAt(at: number): boolean {
    return at === this.#lineStart && this.#isSpaceAt(at + 3) &&
      (this.#text.startsWith("---", at) || this.#text.startsWith("...", at));
  }

  #skipLine(): void {
    while (this.#at < this.#text.length && !"\r\n".includes(this.#text.charAt(this.#at))) this.#at++;
  }

  #newLine(): void {
    if (this.#text.startsWith("\r\n", this.#at)) this.#at++;
    this.#at++;
    this.#startLine(this.#at);
  }

  #startLine(at: number): void {
    this.#line++;
    this.#lineStart = at;
  }

  #column(): number {
    return this.#at - this.#lineStart;
  }

  #skipBlanks(at: number): number {
    while (this.#text.charAt(at) === " " || this.#text.charAt(at) === "\t") at++;
    return at;
  }

  /** A colon ends a key before space, and in brackets before punctuation. */
  #endsKey(colon: number): boolean {
    return this.#isSpaceAt(colon + 1) ||
      (this.#brackets > 0 && ",[]{}".includes(this.#text.charAt(colon + 1)));
  }

  /** Space, the end of a line, or the end of the text. */
  #isSpaceAt(at: number): boolean {
    return at >= this.#text.length || " \t\r\n".includes(this.#text.charAt(at));
  }
}
