/** What files of users and of tokens have in common: lines, and how a bad one is told of. */

/** What is wrong with a line. Never holds a hash, a password or a token. */
export interface SecretFileProblem {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

export interface SecretLine {
  readonly line: number;
  readonly text: string;
}

/** Lines that say something: neither empty nor a comment (`#`). */
export function secretLines(text: string): SecretLine[] {
  return text.split("\n")
    .map((line, index) => ({ line: index + 1, text: line.trim() }))
    .filter((line) => line.text !== "" && !line.text.startsWith("#"));
}

/** Longest name of a user, in characters. */
export const MAX_USER = 255;

/** Whether a name can be that of a user: RFC 7617 §2 has no control characters in it, nor a colon. */
export function isUserName(name: string): boolean {
  // deno-lint-ignore no-control-regex -- control characters are what must not be in it
  return name !== "" && name.length <= MAX_USER && !/[\u0000-\u001f\u007f-\u009f:]/.test(name);
}
