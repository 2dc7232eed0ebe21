/**
 * Why requests of the soak test have failed, each by its line in the access log, and whether that is documented: a Sluice that
 * was replaced, or an endpoint that was taken away, gets a time to end in, and what is left then is cut. All else is a fault.
 */

/** A request that has failed. */
export interface Failure {
  /** The last segment of its target, which no other one has. */
  readonly id: string;
  readonly message: string;
}

/** What is documented, and how many requests that was; the others, a line each. */
export interface Judgement {
  readonly documented: ReadonlyMap<string, number>;
  readonly others: readonly string[];
}

/** The part of a line of the access log that is used here. */
interface Line {
  readonly time: string;
  readonly target: string;
  readonly status: number;
  readonly reason: string;
  readonly detail: string;
  readonly wait_ms: number;
  readonly total_ms: number;
}

/** Requests are cut at this time for this cause. Wall-clock milliseconds. */
interface Cut {
  readonly cause: "upgrade" | "window";
  readonly from: number;
  readonly to: number;
}

const CAUSES = {
  upgrade: "drain_timeout over in a Sluice that was replaced",
  window: "window of a drain, a swap or a reload over",
} as const;
/** What a busy machine may be late. */
const LATE_MS = 3000;

export class SoakAccount {
  readonly #drainMs: number;
  readonly #cuts: Cut[] = [];

  /** @param drainMs `drain_timeout` */
  constructor(drainMs: number) {
    this.#drainMs = drainMs;
  }

  /**
   * A verb has been carried out.
   *
   * @param asked when it was asked for, `answered` when it was done. Wall-clock milliseconds
   */
  note(path: string, body: object, asked: number, answered: number): void {
    const { window_ms: windowMs, drain_ms: drainMs } = body as { window_ms?: number; drain_ms?: number };
    const cut = (cause: Cut["cause"], ms: number) =>
      void this.#cuts.push({ cause, from: asked + ms, to: answered + ms + LATE_MS });
    if (path === "/upgrade") cut("upgrade", this.#drainMs);
    else if (path === "/drain") cut("window", windowMs ?? 0);
    else if (path === "/swap") cut("window", drainMs ?? 0);
    else if (path === "/reload") cut("window", this.#drainMs);
  }

  /** @param log the access log, a JSON object a line */
  judge(failures: readonly Failure[], log: string): Judgement {
    const wanted = new Set(failures.map(({ id }) => id));
    const lines = new Map<string, Line>();
    for (const text of log.split("\n")) {
      if (text === "") continue;
      const line = JSON.parse(text) as Line;
      const id = idOf(line.target);
      if (wanted.has(id)) lines.set(id, line);
    }
    const documented = new Map<string, number>();
    const others: string[] = [];
    for (const { id, message } of failures) {
      const line = lines.get(id);
      const cause = line === undefined ? null : this.#causeOf(line);
      if (cause === null) {
        others.push(`${id}: ${message} (${line === undefined ? "not logged" : words(line)})`);
      } else documented.set(cause, (documented.get(cause) ?? 0) + 1);
    }
    return { documented, others };
  }

  #causeOf({ time, reason, detail, total_ms: totalMs }: Line): string | null {
    const end = Date.parse(time) + totalMs;
    const at = (cause: Cut["cause"]) =>
      this.#cuts.some((cut) => cut.cause === cause && cut.from <= end && end <= cut.to);
    if (reason === "shutting_down" && at("upgrade")) return CAUSES.upgrade;
    if (detail === "the endpoint was drained" && at("window")) return CAUSES.window;
    return null;
  }
}

function idOf(target: string): string {
  return target.split("/").at(-1) ?? "";
}

function words({ time, status, reason, detail, wait_ms: waitMs, total_ms: totalMs }: Line): string {
  const why = [reason, detail].filter((each) => each !== "").join(", ") || "no reason";
  return `logged with ${status}, ${why}; began ${time}, waited ${waitMs} of ${totalMs} ms`;
}
