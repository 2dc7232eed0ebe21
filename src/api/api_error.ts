/** What the library throws at those who call it. */

export { ScriptError } from "../script/script_error.ts";

/** What was asked for cannot be: every problem at once, each with its place and, where possible, the fix. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** One line each: `upstreams.app.hold: needs a unit: …`, `options.queue.size: …`, `sluice.yaml:12: …`. */
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = [...problems];
  }
}

/** The system refuses what the configuration asks for: a port is in use, a file cannot be read. */
export class OpenError extends Error {
  override readonly name = "OpenError";
}
