/** What scripts may import by name, for whoever looks a script through without running it. */

const SLUICE: readonly string[] = [
  "ScriptError",
  "ask",
  "hash",
  "log",
  "next",
  "pass",
  "reject",
  "respond",
  "router",
  "setUpstream",
  "to",
  "tunnel",
  "watchFile",
  "worker",
];

/** Specifier to names of exports. */
export const SCRIPT_EXPORTS: Readonly<Record<string, readonly string[]>> = { sluice: SLUICE };
