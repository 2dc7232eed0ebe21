/**
 * Tokens by a program of the machine that speaks the lines of Samba's `ntlm_auth --helper-protocol=gss-spnego-client`: we say
 * `YR`, it says `YR TOKEN`; what the server answers is `TT TOKEN`, and it says `KK TOKEN` or `AF TOKEN`. `BH` and `NA` are failures.
 * Each context has a process of its own: lines of two would mix.
 */

import type {
  Clock,
  CommandProcess,
  System,
  Timer,
  TokenContext,
  TokenSource,
  TokenStep,
} from "../../../runtime/contract/contract.ts";

/** An answer takes no longer than that, milliseconds. */
const STEP_MS = 20_000;
/** Longest line, in characters: a ticket with many groups in it has a few thousand. */
const MAX_LINE = 64 * 1024;
const ANSWER = /^(?:YR|TT|KK|AF) ([A-Za-z0-9+/]+={0,2})$/;
const FAILED = /^(?:BH|NA|ERR)(?: (.*))?$/;

/** @param command `{host}` in it is the host of the service */
export function helperTokens(
  system: Pick<System, "spawn">,
  clock: Clock,
  command: readonly [string, ...string[]],
): TokenSource {
  return {
    begin(service) {
      const host = service.replace(/^[^@]*@/, "");
      const [program, ...args] = command.map((word) => word.replaceAll("{host}", host));
      return new HelperContext(system, clock, [program as string, ...args]);
    },
  };
}

class HelperContext implements TokenContext {
  readonly #clock: Clock;
  readonly #program: string;
  readonly #child: CommandProcess;
  readonly #decoder = new TextDecoder();
  #line = "";
  #over = "";
  #answer: ((step: TokenStep) => void) | null = null;
  #timer: Timer | null = null;

  constructor(system: Pick<System, "spawn">, clock: Clock, command: readonly [string, ...string[]]) {
    this.#clock = clock;
    this.#program = command[0];
    this.#child = system.spawn({
      command,
      env: {},
      folder: null,
      stdin: "pipe",
      stdout: "events",
      stderr: 2,
      ownGroup: false,
      endsWithUsMs: null,
    }, {
      output: (_fd, bytes) => this.#read(bytes),
      outputEnded: () => {},
      exited: ({ failure }) => this.#fail(failure === "" ? "has ended" : failure),
    });
  }

  step(token: string): Promise<TokenStep> {
    return new Promise((resolve) => {
      this.#answer = resolve;
      if (this.#over !== "") {
        this.#fail(this.#over);
        return;
      }
      this.#timer = this.#clock.setTimer(STEP_MS, () => {
        this.#fail("does not answer");
        this.end();
      });
      this.#child.write(token === "" ? "YR\n" : `TT ${token}\n`);
    });
  }

  #read(bytes: Uint8Array): void {
    this.#line += this.#decoder.decode(bytes, { stream: true });
    for (let end = this.#line.indexOf("\n"); end >= 0; end = this.#line.indexOf("\n")) {
      const line = this.#line.slice(0, end).trim();
      this.#line = this.#line.slice(end + 1);
      this.#said(line);
    }
    if (this.#line.length <= MAX_LINE) return;
    this.#fail("prints a line that is too long");
    this.end();
  }

  #said(line: string): void {
    const token = ANSWER.exec(line)?.[1];
    if (token !== undefined) {
      this.#tell({ kind: "token", token });
      return;
    }
    const failure = FAILED.exec(line);
    this.#fail(
      failure === null ? "prints what is no token" : `says ${failure[1] ?? "that it failed"}`.slice(0, 200),
    );
  }

  #fail(words: string): void {
    this.#over = words;
    this.#tell({ kind: "failed", words: `the helper ${this.#program} ${words}` });
  }

  #tell(step: TokenStep): void {
    const answer = this.#answer;
    this.#answer = null;
    this.#timer?.cancel();
    answer?.(step);
  }

  end(): void {
    this.#fail("was ended");
    this.#child.signal("SIGKILL");
  }
}
