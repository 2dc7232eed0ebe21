/** Commands as words, and the names of signals. */

import type { BackendConfig } from "./config.ts";
import { fault, list, mustBe, oneOf, type Parsed, success, type ValueType } from "./value_type.ts";

export type Words = readonly [string, ...string[]];

/** A program and its arguments: a YAML list of words, or text that is split at spaces. */
export function commandWords(): ValueType<Words> {
  const accepts = "a program and its arguments, like node server.js or [node, server.js]";
  return {
    name: "command",
    accepts,
    many: false,
    parse(raw) {
      const words = typeof raw === "string" ? splitWords(raw) : raw;
      if (words === null) return fault("has a quote without its end");
      if (!Array.isArray(words) || !words.every((word) => typeof word === "string")) {
        return mustBe(accepts, raw);
      }
      return checked(words, accepts, raw);
    },
    print: (value) => value,
  };
}

function checked(words: readonly string[], accepts: string, raw: unknown): Parsed<Words> {
  const [program, ...more] = words;
  if (program === undefined || program === "") return mustBe(accepts, raw);
  // The kernel ends a word at NUL.
  if (words.some((word) => word.includes("\0"))) return fault("must not hold NUL characters");
  return success([program, ...more]);
}

/** Words between blanks; quotes of either kind keep what is inside them together. Null: one has no end. */
function splitWords(text: string): string[] | null {
  const words: string[] = [];
  const piece = /\s+|"([^"]*)"|'([^']*)'|([^\s"']+)|(["'])/g;
  let word: string | null = null;
  for (const [all, double, single, plain, open] of text.matchAll(piece)) {
    if (open !== undefined) return null;
    if (/^\s/.test(all) && double === undefined && single === undefined) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? "") + (double ?? single ?? plain ?? "");
    }
  }
  if (word !== null) words.push(word);
  return words;
}

/** Text that is split into these words again. */
export function joinWords(words: readonly string[]): string {
  return words.map((word) => word.split("'").map((part) => `'${part}'`).join(`"'"`)).join(" ");
}

/** Signals that can be passed on. */
export function forwardedSignals(): ValueType<BackendConfig["forward"]> {
  const word = oneOf("HUP", "USR1", "USR2", "QUIT");
  return list(word, "list", `a list of ${word.accepts}`);
}
