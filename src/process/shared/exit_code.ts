/** What the exit status of every command means; stable, for scripts. */

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  bind: 3,
  timeout: 4,
} as const;

export type ExitCode = typeof EXIT[keyof typeof EXIT];

/** For `--help` and the reference. */
export const EXIT_MEANINGS: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [EXIT.done, "done"],
  [
    EXIT.failed,
    "failed, or ended with requests dropped in haste or access log lines unwritten",
  ],
  [EXIT.usage, "bad usage or configuration"],
  [EXIT.bind, "could not listen on an address"],
  [EXIT.timeout, "a waited-for condition did not come true in time"],
];
