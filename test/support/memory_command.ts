/** A command that only pretends to run: the test says what it prints and how it ends. */
import type {
  CommandEvents,
  CommandExit,
  CommandProcess,
  SignalName,
  SpawnOptions,
} from "../../runtime/contract/contract.ts";

export class MemoryCommand implements CommandProcess {
  readonly pid: number;
  /** What was written to its standard input. */
  input = "";
  /** Called after each writing. */
  onInput: () => void = () => {};
  readonly options: SpawnOptions;
  /** Signals it was sent, in order; those to the leader alone have a `!` behind them. */
  readonly signals: string[] = [];
  /** Called with each signal; by default SIGKILL, SIGTERM and SIGINT end it in the next microtask. */
  onSignal: (name: string) => void = (name) => {
    if (["SIGKILL", "SIGTERM", "SIGINT"].includes(name)) queueMicrotask(() => this.end({ signal: name }));
  };
  /** Others of its group, which live on when it has ended; SIGKILL ends them. */
  stragglers = 0;
  outputPaused = false;
  readonly #events: CommandEvents;
  #ended = false;

  constructor(pid: number, options: SpawnOptions, events: CommandEvents) {
    this.pid = pid;
    this.options = options;
    this.#events = events;
  }

  /** It ends. Nothing when it has ended already. */
  end(how: Partial<CommandExit>): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const fd of [1, 2] as const) {
      if ((fd === 1 ? this.options.stdout : this.options.stderr) === "events") this.#events.outputEnded(fd);
    }
    this.#events.exited({ code: null, signal: "", failure: "", ...how });
  }

  /** It writes to its standard output (1) or error (2). */
  print(text: string, fd: 1 | 2 = 1): void {
    this.#events.output(fd, new TextEncoder().encode(text));
  }

  write(text: string): void {
    this.input += text;
    queueMicrotask(() => this.onInput());
  }

  signal(name: SignalName | "SIGKILL", leaderOnly = false): boolean {
    if (!this.alive()) return false;
    this.signals.push(leaderOnly ? `${name}!` : name);
    if (name === "SIGKILL" && !leaderOnly) this.stragglers = 0;
    if (!this.#ended) this.onSignal(name);
    return true;
  }

  alive(): boolean {
    return !this.#ended || this.stragglers > 0;
  }

  pauseOutput(): void {
    this.outputPaused = true;
  }

  resumeOutput(): void {
    this.outputPaused = false;
  }
}
