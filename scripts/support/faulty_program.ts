/** A program whose system calls fail all the time, in ways that nobody may notice: strace(1) starts it, and lets go of its id. */

import { writeFileSync } from "node:fs";

/** Which call of each thread fails first, and every how many after that; primes, so that they fall on ever other moments. */
interface Schedule {
  readonly error: string;
  readonly first: number;
  readonly every: number;
}

type Round = Readonly<Record<string, Schedule>>;

/**
 * As the kernel has them: recv(3) is recvfrom(2), send(3) is sendto(2). Bun's own sockets meet them as well. What is not here is not
 * transparent; and a send that is short cannot be had from strace, which would claim bytes to be sent that were not.
 */
export const ROUNDS: readonly Round[] = [
  {
    recvfrom: { error: "EAGAIN", first: 7, every: 31 },
    sendto: { error: "EAGAIN", first: 5, every: 37 },
    accept4: { error: "ECONNABORTED", first: 3, every: 7 },
    epoll_wait: { error: "EINTR", first: 11, every: 13 },
    epoll_pwait: { error: "EINTR", first: 11, every: 13 },
  },
  {
    recvfrom: { error: "EINTR", first: 7, every: 31 },
    sendto: { error: "ENOBUFS", first: 5, every: 37 },
    accept4: { error: "EMFILE", first: 3, every: 17 },
  },
];

/** "recvfrom EAGAIN 7+31, …" */
export function wordsOf(round: Round): string {
  return Object.entries(round).map(([call, { error, first, every }]) => `${call} ${error} ${first}+${every}`)
    .join(", ");
}

/**
 * Writes a shell script that is the program with such faults.
 *
 * @param path of the script
 * @param program absolute path, without a single quote in it
 */
export function writeFaulty(path: string, program: string, round: Round): void {
  // A name that this processor does not have is none of strace's errors with a question mark before it.
  const calls = Object.keys(round).map((call) => `?${call}`).join(",");
  const injections = Object.entries(round).map(([call, { error, first, every }]) =>
    `-e 'inject=?${call}:error=${error}:when=${first}+${every}'`
  );
  const strace = `strace -D -f --seccomp-bpf -qq -o /dev/null -e 'trace=${calls}' ${injections.join(" ")}`;
  writeFileSync(path, `#!/bin/sh\nexec ${strace} '${program}' "$@"\n`, { mode: 0o755 });
}
