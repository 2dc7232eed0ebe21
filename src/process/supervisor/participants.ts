/** All who carry out commands and count requests: the workers and, during an upgrade, the process that drains. */

import type { Config } from "../../config/values/config.ts";
import { ELDER, type ElderCommand, type Followed } from "./lineage_messages.ts";
import type { CommandResult, CommonCommand, ToWorker, WorkerCommand } from "../worker/messages.ts";
import { Broadcasts } from "./broadcasts.ts";
import { addReports, emptyReport, keepNames, type Report, sumsOnly } from "../worker/report.ts";
import type { WorkerHandle } from "./worker_handle.ts";

/** The way to the process that drains, see lineage.ts. */
export interface ElderLink {
  /** What it has told; null while there is none. */
  readonly elder: { readonly report: Report } | null;
  /** It gets a command of ours as well. */
  command(id: number, command: ElderCommand): void;
  /** It is asked for its report. */
  ask(): void;
}

export class Participants {
  readonly handles: readonly WorkerHandle[];
  readonly #lineage: () => ElderLink;
  readonly commands = new Broadcasts<CommandResult>();
  /** Requests for reports. A report answers all of them; it is kept with its participant. */
  readonly reports = new Broadcasts<never>();
  #gone: Report = emptyReport();

  /** @param lineage called later, not inside */
  constructor(handles: readonly WorkerHandle[], lineage: () => ElderLink) {
    this.handles = handles;
    this.#lineage = lineage;
  }

  /** Sums of those who are gone. */
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
    const lineage = this.#lineage();
    const elder = lineage.elder === null ? [] : [ELDER];
    return this.commands.gather([...able.map(({ index }) => index), ...elder], (id) => {
      for (const { link } of able) link?.send({ type: "command", id, command });
      lineage.command(id, command);
    });
  }

  /** What waits in the process that drains goes to these endpoints as well. */
  async lead(upstreams: readonly Followed[], drainMs: number): Promise<void> {
    const lineage = this.#lineage();
    if (lineage.elder === null || upstreams.length === 0) return;
    await this.commands.gather(
      [ELDER],
      (id) => lineage.command(id, { command: "follow", upstreams, drainMs }),
    );
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
    await this.reports.gather(this.#lineage().elder === null ? asked : [...asked, ELDER], () => {});
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
