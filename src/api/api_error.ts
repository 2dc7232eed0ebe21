/** What the library throws at those who call it. */

export { ScriptError } from "../answer/script_error.ts";

/** What was asked for cannot be: every problem at once, each with its place and, where possible, the fix. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** One line each: `upstreams.app.hold: needs a unit: …`, `options.queue.size: …`, `sluice.yaml:12: …`. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const words = problems.map(inPrograms);
    super(words.join("\n"));
    this.problems = words;
  }
}

/** The system refuses what the configuration asks for: a port is in use, a file cannot be read. */
export class OpenError extends Error {
  override readonly name = "OpenError";

  constructor(message: string) {
    super(inPrograms(message));
  }
}

/** Advice about flags (`--max-in-flight`) is about options here. */
function inPrograms(words: string): string {
  return words.replace(/(?<![\w-])--([a-z]+(?:-[a-z]+)*)/g, (_, name: string) => name.replaceAll("-", "_"));
}
