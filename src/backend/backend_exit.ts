/** How the end of a command becomes the end of Sluice. */

import type { CommandExit, SignalName } from "../../runtime/contract/contract.ts";

/** A command that could not be started, as shells say it. */
const NOT_STARTED = 127;
/** A signal whose number is not known here. */
const SIGNALLED = 128;

/** signal(7); these are the same on all Unix systems but for USR1 and USR2, which are Linux's. */
const NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

/** The exit code that a shell would show: 0 to 255. */
export function exitCodeOf({ code, signal, failure }: CommandExit): number {
  if (failure !== "") return NOT_STARTED;
  return code ?? signalledCode(signal);
}

/** The exit code of a program that was ended by that signal. */
export function signalledCode(signal: string): number {
  return SIGNALLED + (NUMBERS[signal] ?? 0);
}

/** The same for a command that we have told to end: ended by that signal it has done as it was told. */
export function stoppedCodeOf(how: CommandExit, told: SignalName): number {
  return how.signal === told ? 0 : exitCodeOf(how);
}

const NOT_TRIED = "not started: ";

/** Why a command ended of which nothing was started. */
export function notStarted(why: string): CommandExit {
  return { code: null, signal: "", failure: NOT_TRIED + why };
}

/** `ended: exit code 1`, or `not started: …`: what goes on after "command". */
export function endWords(why: string): string {
  return why.startsWith(NOT_TRIED) ? why : `ended: ${why}`;
}
