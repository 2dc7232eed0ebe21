/**
 * All processes that carry out commands and count requests: the workers and, during an upgrade, the process that drains. That one is no
 * child of ours: should it be stopped (SIGSTOP), or hang, it is not started anew. So it is waited for a bounded time.
 */

import type { Clock } from "../../../runtime/contract/contract.ts";
import type { Config } from "../../config/values/config.ts";
import { ELDER, type ElderCommand, type Followed } from "./lineage_messages.ts";
import type { CommandResult, CommonCommand, ToWorker, WorkerCommand } from "../worker/messages.ts";
import { Broadcasts } from "./broadcasts.ts";
import { addReports, emptyReport, keepNames, type Report, sumsOnly } from "../worker/report.ts";
import type { WorkerHandle } from "./worker_handle.ts";

/** How long the process that drains has for an answer. Until it has given one again it is waited for no more. */
export const ELDER_PATIENCE_MS = 3000;

/** The way to the process that drains, see lineage.ts. */
export interface ElderLink {
  /** What it has told; null while there is none. */
  readonly elder: { readonly report: Report } | null;
  /** It gets a command of ours as well. */
  command(id: number, command: ElderCommand): void;
  /** It is asked for its report. */
  ask(): void;
  /** Upstreams that have other endpoints with us than there. */
  differing(): readonly Followed[];
}

export class Participants {
  readonly handles: readonly WorkerHandle[];
  readonly #clock: Clock;
  readonly #lineage: () => ElderLink;
  readonly commands = new Broadcasts<CommandResult>();
  /** Requests for reports. A report answers all of them; it is kept with its participant. */
  readonly reports = new Broadcasts<never>();
  #gone: Report = emptyReport();
  #elderSilent = false;

  /** @param lineage called later, not inside */
  constructor(clock: Clock, handles: readonly WorkerHandle[], lineage: () => ElderLink) {
    this.#clock = clock;
    this.handles = handles;
    this.#lineage = lineage;
  }

  /** Sums of participants that are gone. */
  get gone(): Report {
    return this.#gone;
  }

  /** Workers that carry out commands: one that starts does what comes later afterwards. */
  able(handles: readonly WorkerHandle[] = this.handles): readonly WorkerHandle[] {
    return handles.filter(({ link, state }) =>
      link !== null && (state === "started" || state === "listening")
    );
  }

  /** Their indexes. */
  get ableIndexes(): readonly number[] {
    return this.able().map(({ index }) => index);
  }

  /** Tells every worker. */
  tell(message: ToWorker): void {
    for (const { link } of this.handles) link?.send(message);
  }

  /** Gives some of the workers a command. Resolves when all have answered or are gone. */
  issue(command: WorkerCommand, handles: readonly WorkerHandle[]): Promise<readonly CommandResult[]> {
    const able = this.able(handles);
    return this.commands.gather(able.map(({ index }) => index), (id) => {
      for (const { link } of able) link?.send({ type: "command", id, command });
    });
  }

  /** The same for all participants. */
  command(command: CommonCommand): Promise<readonly CommandResult[]> {
    const able = this.able();
    const elder = this.#answering();
    return this.#patiently(
      elder,
      this.commands.gather([...able.map(({ index }) => index), ...elder], (id) => {
        for (const { link } of able) link?.send({ type: "command", id, command });
        this.#lineage().command(id, command);
      }),
    );
  }

  /** What waits in the process that drains goes to these endpoints as well. */
  async lead(upstreams: readonly Followed[], drainMs: number): Promise<void> {
    const lineage = this.#lineage();
    if (lineage.elder === null || upstreams.length === 0) return;
    const elder = this.#answering();
    await this.#patiently(
      elder,
      this.commands.gather(elder, (id) => lineage.command(id, { command: "follow", upstreams, drainMs })),
    );
  }

  // The process that drains

  /** It has left something unanswered for too long. */
  get elderSilent(): boolean {
    return this.#elderSilent;
  }

  elderDone(id: number, result: CommandResult): void {
    this.#elderSilent = false;
    this.commands.answered(ELDER, id, result);
  }

  elderReported(): void {
    this.#elderSilent = false;
    this.reports.release(ELDER);
  }

  /** Itself, when it is waited for. */
  #answering(): readonly number[] {
    return this.#lineage().elder === null || this.#elderSilent ? [] : [ELDER];
  }

  /** @param elder whether it is one of those whose answers are gathered */
  async #patiently<T>(elder: readonly number[], answers: Promise<T>): Promise<T> {
    if (elder.length === 0) return await answers;
    const timer = this.#clock.setTimer(ELDER_PATIENCE_MS, () => {
      this.#elderSilent = true;
      this.#missing(ELDER);
    }, true);
    try {
      return await answers;
    } finally {
      timer.cancel();
    }
  }

  // Reports

  /** Sums over all, those included that are gone (but for what a killed one had not told). */
  report(): Promise<Report> {
    this.tell({ type: "report" });
    this.#lineage().ask();
    return this.answers();
  }

  /** The same when all have been asked already. */
  async answers(): Promise<Report> {
    // One that does not serve yet has nothing to tell.
    const asked = this.handles.filter(({ state }) => state === "listening").map(({ index }) => index);
    const old = this.#answering();
    await this.#patiently(old, this.reports.gather([...asked, ...old], () => {}));
    const sum = this.handles.reduce((all, { report }) => addReports(all, report), this.#gone);
    const { elder } = this.#lineage();
    return elder === null ? sum : addReports(elder.report, sum);
  }

  reported(handle: WorkerHandle, report: Report): void {
    handle.report = report;
    this.reports.release(handle.index);
  }

  /** A worker is gone: what it had counted stays. */
  left(handle: WorkerHandle): void {
    this.#gone = addReports(this.#gone, sumsOnly(handle.report));
    handle.report = emptyReport();
    this.#missing(handle.index);
  }

  /** The process that drained is gone, and this is what it had counted; `config` has the names that count. */
  elderLeft(counted: Report, config: Config): void {
    this.#gone = addReports(this.#gone, counted);
    this.keepOnly(config);
    this.#elderSilent = false;
    this.#missing(ELDER);
  }

  /** Forgets sums of names that are not in the configuration any more. */
  keepOnly({ upstreams, routes }: Config): void {
    this.#gone = keepNames(this.#gone, upstreams, routes);
  }

  /** It answers nothing any more. */
  #missing(participant: number): void {
    this.commands.release(participant);
    this.reports.release(participant);
  }
}
