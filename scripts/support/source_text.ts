/**
 * Reads TypeScript just well enough for checks: which modules a file imports, and its code with
 * comments and the contents of strings blanked out. Not a parser; positions and lines are kept.
 */

export interface ImportedModule {
  /** As written: `./x.ts`, `node:net`, `cac`. */
  readonly specifier: string;
  /** 1-based. */
  readonly line: number;
}

export interface SourceText {
  /** Same length and lines as the source; comments, strings and regular expressions are spaces. */
  readonly code: string;
  /** Static and dynamic imports, re-exports, type imports, `require`. */
  readonly imports: readonly ImportedModule[];
}

/** A string that names a module follows one of these; `Array.from("x")` has a parenthesis and a dot. */
const beforeSpecifier = /(?:^|[^.\w$])(?:(?:from|import)\s*|(?:import|require)\s*\(\s*)$/;
/** A slash after one of these begins a regular expression, elsewhere it divides. */
const beforeRegExp =
  /(?:^|[=(,:;!&|?{}[+\-*%^~<>\n]|\b(?:return|typeof|case|in|of|do|else|void|throw|await|yield))\s*$/;

/** Scans a source. Linear. */
export function readSource(source: string): SourceText {
  const imports: ImportedModule[] = [];
  /** For each open `${` the number of braces open within it. */
  const templates: number[] = [];
  let code = "";
  let at = 0;
  const blankTo = (to: number): void => {
    code += source.slice(at, to).replace(/[^\n]/g, " ");
    at = to;
  };
  const string = (quote: string): void => {
    let to = at + 1;
    while (to < source.length && source[to] !== quote && source[to] !== "\n") {
      to += source[to] === "\\" ? 2 : 1;
    }
    if (beforeSpecifier.test(code.slice(-200))) {
      imports.push({ specifier: source.slice(at + 1, to), line: lineAt(source, at) });
    }
    blankTo(Math.min(to + 1, source.length));
  };
  const template = (): void => {
    let to = at + 1;
    while (to < source.length && source[to] !== "`") {
      if (source.startsWith("${", to)) {
        templates.push(0);
        blankTo(to + 2);
        return;
      }
      to += source[to] === "\\" ? 2 : 1;
    }
    blankTo(Math.min(to + 1, source.length));
  };
  const regExp = (): void => {
    let inClass = false;
    let to = at + 1;
    while (to < source.length && source[to] !== "\n" && (inClass || source[to] !== "/")) {
      if (source[to] === "[") inClass = true;
      else if (source[to] === "]") inClass = false;
      to += source[to] === "\\" ? 2 : 1;
    }
    blankTo(Math.min(to + 1, source.length));
  };
  while (at < source.length) {
    const character = source.charAt(at);
    const next = source.charAt(at + 1);
    if (character === "/" && next === "/") blankTo(endOf(source, "\n", at, 0));
    else if (character === "/" && next === "*") blankTo(endOf(source, "*/", at + 2, 2));
    else if (character === '"' || character === "'") string(character);
    else if (character === "`") template();
    else if (character === "/" && beforeRegExp.test(code.slice(-40))) regExp();
    else if (character === "}" && templates.at(-1) === 0) {
      templates.pop();
      template();
    } else {
      const open = templates.length - 1;
      if (open >= 0 && character === "{") templates[open] = (templates[open] ?? 0) + 1;
      if (open >= 0 && character === "}") templates[open] = (templates[open] ?? 0) - 1;
      code += character;
      at++;
    }
  }
  return { code, imports };
}

/** 1-based line of a position. */
export function lineAt(source: string, position: number): number {
  let line = 1;
  for (let at = source.indexOf("\n"); at >= 0 && at < position; at = source.indexOf("\n", at + 1)) line++;
  return line;
}

function endOf(source: string, what: string, from: number, add: number): number {
  const at = source.indexOf(what, from);
  return at < 0 ? source.length : at + add;
}
