/**
 * Tokens are made by a process of our own program, since the library that makes them waits for the network. It is started when
 * the first one is wanted, and ends when none has been for a while.
 */
import process from "node:process";
import type { TokenContext, TokenSource, TokenStep, WorkerProcess } from "../contract/contract.ts";
import { GssapiContext, hasGssapi } from "./gssapi.ts";
import { isTokenProcess, startTokenProcess } from "./worker_process.ts";

/** Without a context for so long it ends, milliseconds. */
const IDLE_MS = 60_000;
/** A token takes no longer than that. */
const STEP_MS = 20_000;

type Question =
  | { readonly id: number; readonly do: "step"; readonly service: string; readonly token: string }
  | { readonly id: number; readonly do: "end" };

interface Answer {
  readonly id: number;
  readonly step: TokenStep;
}

/** Serves, if that is what this process was started for. @returns whether it was */
export function serveTokens(): boolean {
  if (!isTokenProcess()) return false;
  const contexts = new Map<number, GssapiContext>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
  process.on("disconnect", () => process.exit(0));
  process.on("message", (question: Question) => {
    const { id } = question;
    if (question.do === "end") {
      contexts.get(id)?.end();
      contexts.delete(id);
      return;
    }
    let context = contexts.get(id);
    if (context === undefined) contexts.set(id, context = new GssapiContext(question.service));
    const answer: Answer = { id, step: context.step(question.token) };
    process.send?.(answer);
  });
  return true;
}

/** Null where there is no library. It is looked for when this is asked for first. */
export function tokenSource(): TokenSource | null {
  return source ??= hasGssapi() ? new ProcessTokens() : null;
}

let source: ProcessTokens | null = null;

class ProcessTokens implements TokenSource {
  #process: WorkerProcess | null = null;
  readonly #waiting = new Map<number, (step: TokenStep) => void>();
  readonly #open = new Set<number>();
  #contexts = 0;
  #idle: NodeJS.Timeout | null = null;

  begin(service: string): TokenContext {
    const id = ++this.#contexts;
    this.#open.add(id);
    if (this.#idle !== null) clearTimeout(this.#idle);
    return {
      step: (token) => this.#step({ id, do: "step", service, token }),
      end: () => this.#end(id),
    };
  }

  #step(question: Question): Promise<TokenStep> {
    const { id } = question;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        // It hangs: the next one begins anew.
        this.#process?.kill();
      }, STEP_MS);
      this.#waiting.set(id, (step) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(step);
      });
      try {
        this.#process ??= this.#start();
        this.#process.channel.send(question);
      } catch (error) {
        this.#waiting.get(id)?.(failure(error instanceof Error ? error.message : String(error)));
      }
    });
  }

  #start(): WorkerProcess {
    const started: WorkerProcess = startTokenProcess({
      message: (message) => {
        const { id, step } = message as Answer;
        this.#waiting.get(id)?.(step);
      },
      exited: ({ detail }) => {
        if (this.#process === started) this.#process = null;
        const words = detail === "" ? "no token was made in time" : detail;
        for (const answer of [...this.#waiting.values()]) answer(failure(words));
      },
    });
    return started;
  }

  #end(id: number): void {
    if (!this.#open.delete(id)) return;
    this.#process?.channel.send({ id, do: "end" } satisfies Question);
    if (this.#open.size > 0) return;
    this.#idle = setTimeout(() => {
      if (this.#open.size === 0) this.#process?.kill();
    }, IDLE_MS);
    this.#idle.unref();
  }
}

function failure(words: string): TokenStep {
  return { kind: "failed", words };
}
