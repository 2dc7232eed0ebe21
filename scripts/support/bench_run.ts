/** Runs scenarios round by round: A B C, B C A, …, so that no one profits from a quiet moment alone. */

import type { Contender } from "./bench_contender.ts";
import { Entrant } from "./bench_entrant.ts";
import { type Sample, shownWithUnit } from "./bench_metric.ts";
import type { Origins } from "./bench_origin.ts";
import type { Result, Row } from "./bench_report.ts";
import type { Measuring, Scenario } from "./bench_scenario.ts";
import type { Workspace } from "./bench_workspace.ts";

/** Length of the load that a process sees before it counts: just-in-time compilers want to have met it. */
const WARM_SECONDS = 1;
/** Length of a load that only shows that it works. */
const TRIAL_SECONDS = 0.2;

interface Samples {
  readonly contender: Contender;
  readonly samples: (Sample | null)[];
  problem: string;
  absent: boolean;
}

export class BenchRun {
  readonly #space: Workspace;
  readonly #origins: Origins;
  readonly #measuring: Measuring;
  readonly #say: (text: string) => void;
  /** Processes that serve several scenarios, by what they are, contender and whether they log and speak TLS. */
  readonly #warm = new Map<string, Entrant>();
  readonly #warmed = new Set<string>();

  constructor(
    space: Workspace,
    origins: Origins,
    { seconds, trial }: { readonly seconds: number; readonly trial: boolean },
    say: (text: string) => void,
  ) {
    this.#space = space;
    this.#origins = origins;
    this.#measuring = { space, seconds: trial ? TRIAL_SECONDS : seconds, trial };
    this.#say = say;
  }

  async scenario(scenario: Scenario, contenders: readonly Contender[], rounds: number): Promise<Result> {
    const rows: Samples[] = contenders
      .map((contender) => ({ contender, samples: [], problem: "", absent: false }));
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < rows.length; i++) {
        const row = rows[(i + round) % rows.length];
        if (row === undefined || row.absent) continue;
        const sample = await this.#attempt(scenario, row);
        row.samples.push(sample);
        const [main] = scenario.columns;
        const metric = sample?.[main] === undefined ? "rate" : main;
        const text = sample === null ? row.problem : shownWithUnit(metric, sample[metric] ?? null);
        this.#say(`${scenario.name} ${round + 1}/${rounds} ${row.contender.name}: ${text}`);
      }
    }
    const there: Row[] = rows.filter(({ absent }) => !absent);
    return { scenario, rows: there };
  }

  async #attempt(scenario: Scenario, row: Samples): Promise<Sample | null> {
    const { contender } = row;
    let entrant: Entrant | null = null;
    try {
      entrant = await this.#entrant(scenario, contender);
      if (entrant === null) {
        row.absent = true;
        row.problem = "cannot take part";
        return null;
      }
      const sample = await scenario.run(this.#measuring, entrant);
      if (!entrant.alive) throw new Error("has ended under load");
      return sample;
    } catch (error) {
      if (this.#space.closed) throw error;
      row.problem = (error instanceof Error ? error.message : String(error)).replace(/[\s|]+/g, " ").slice(
        0,
        160,
      );
      return null;
    } finally {
      if (scenario.process !== "warm") await entrant?.stop();
    }
  }

  async #entrant(scenario: Scenario, contender: Contender): Promise<Entrant | null> {
    const { log, part, process, tls } = scenario;
    if (process !== "warm") return await Entrant.start(this.#space, contender, this.#origins, scenario);
    const key = `${part} ${contender.name} ${log} ${tls}`;
    let entrant = this.#warm.get(key);
    if (entrant === undefined || !entrant.alive) {
      const started = await Entrant.start(this.#space, contender, this.#origins, scenario);
      if (started === null) return null;
      this.#warm.set(key, entrant = started);
      for (const one of this.#warmed) if (one.startsWith(`${key} `)) this.#warmed.delete(one);
    }
    if (!this.#warmed.has(`${key} ${scenario.name}`)) {
      this.#warmed.add(`${key} ${scenario.name}`);
      if (contender.kind !== "direct" && !this.#measuring.trial) {
        await scenario.run({ ...this.#measuring, seconds: WARM_SECONDS }, entrant);
      }
    }
    return entrant;
  }
}
