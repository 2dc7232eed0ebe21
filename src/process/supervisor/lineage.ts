/**
 * The processes before and after this one while an upgrade is not over: of which commands, questions and slots go to
 * them as well. There may be both, when a process that has taken a place is replaced before the old one is gone.
 */

import { Elder } from "./elder.ts";
import { Heir } from "./heir.ts";
import { ELDER, type ElderCommand, HEIR, type ToElder, type ToHeir } from "./lineage_messages.ts";
import type {
  CommandResult,
  CommonCommand,
  DesiredState,
  DownHint,
  Slots,
  Wanted,
  WorkerEvent,
} from "../worker/messages.ts";
import type { ElderLink, Participants } from "./participants.ts";
import { emptyReport, type Report, sumsOnly } from "../worker/report.ts";
import type { LimitedEndpoint } from "../worker/limits.ts";
import type { SlotLedger } from "./slot_ledger.ts";

/** How long what an order of the heir has put out of use may go on. */
const DRAIN_MS = 30_000;

/** What it needs of the supervisor. */
export interface LineageHost {
  readonly ledger: SlotLedger;
  readonly participants: Participants;
  readonly desired: DesiredState;
  /** Endpoints with a limit. */
  limits(): readonly LimitedEndpoint[];
  setDesired(desired: DesiredState): void;
  /** Goes over to other endpoints. */
  follow(command: Extract<ElderCommand, { readonly command: "follow" }>): Promise<CommandResult>;
  event(participant: number, event: WorkerEvent, before: boolean): void;
  /** The process before us is gone, and this is what it had counted. */
  elderGone(counted: Report): void;
  /** The process after us wants us to end now. */
  hurry(): void;
  /** A pause is over: whoever asked the process before us for it has left. */
  left(token: string): void;
}

export class Lineage implements ElderLink {
  readonly #host: LineageHost;
  #elder: Elder | null = null;
  #heir: Heir | null = null;

  constructor(host: LineageHost) {
    this.#host = host;
  }

  // The process before us

  /** Null when there is none, or it does not know of us as its heir. */
  get elder(): { readonly pid: number; readonly report: Report } | null {
    return this.#elder;
  }

  /** Before the start: the process before us has these slots until it gives them back. */
  expect(limits: readonly LimitedEndpoint[]): void {
    this.#host.ledger.expect(ELDER, limits);
  }

  /** Its place is ours: it drains, as our workers would. */
  succeed(pid: number, send: (message: ToElder) => void): void {
    const host = this.#host;
    this.#elder = new Elder(
      {
        ledger: host.ledger,
        done: (id, result) => host.participants.commands.answered(ELDER, id, result),
        reported: () => host.participants.reports.release(ELDER),
        down: (hint) => this.#spread(hint, ELDER),
        event: (event, before) => {
          host.event(ELDER, event, before);
          this.#heir?.send({ type: "event", event, before });
        },
        report: () => this.report(),
        left: (token) => host.left(token),
      },
      pid,
      send,
    );
    this.#elder.lead(host.limits(), host.desired);
  }

  elderSaid(message: ToHeir): void {
    this.#elder?.heard(message);
  }

  /** Its process has ended, or cannot be reached any more. */
  elderGone(): void {
    const host = this.#host;
    const elder = this.#elder;
    this.#elder = null;
    host.ledger.leave(ELDER);
    host.elderGone(sumsOnly(elder?.report ?? emptyReport()));
  }

  /** It gets a command of ours as well. */
  command(id: number, command: ElderCommand): void {
    this.#elder?.command(id, command);
  }

  /** It is asked for its report. */
  ask(): void {
    this.#elder?.ask();
  }

  /** It is to end now. */
  abort(): void {
    this.#elder?.send({ type: "abort" });
  }

  // The process after us

  /** Another process has our place: we drain as it says. */
  handOver(send: (message: ToHeir) => void): void {
    const host = this.#host;
    this.#heir = new Heir({
      ledger: host.ledger,
      carryOut: (command) => this.#carryOut(command),
      report: () => host.participants.report(),
      down: (hint) => this.#spread(hint, HEIR),
      abort: () => host.hurry(),
    }, send);
  }

  heirSaid(message: ToElder): void {
    this.#heir?.heard(message);
  }

  /** Its process is gone, or is none that leads us: we go on alone. */
  heirGone(): void {
    const heir = this.#heir;
    this.#heir = null;
    heir?.gone();
  }

  /** Tells it what has been counted; before we end. */
  async farewell(): Promise<void> {
    await this.#heir?.tell();
  }

  /** Another process has our place. */
  get led(): boolean {
    return this.#heir !== null;
  }

  /** It ends a pause that it took over from us. */
  resume(token: string): void {
    this.#heir?.send({ type: "resume", token });
  }

  /** Sums over everything that is one Sluice to those who ask. */
  report(): Promise<Report> {
    return this.#heir === null ? this.#host.participants.report() : this.#heir.whole();
  }

  async #carryOut(command: ElderCommand): Promise<CommandResult> {
    const host = this.#host;
    if (command.command === "follow") return await host.follow(command);
    const results: readonly CommandResult[] = command.command === "desire"
      ? await this.#setDesired(command.desired)
      : await host.participants.command(command);
    return results.find((result) => !result.ok) ?? { ok: true };
  }

  async #setDesired(desired: DesiredState): Promise<readonly CommandResult[]> {
    const { participants, desired: before } = this.#host;
    const held = (name: string) => before.paused.includes(name);
    const paused = desired.paused.filter((name) => !held(name));
    const resumed = before.paused.filter((name) => !desired.paused.includes(name));
    const lacks = (names: DesiredState["drained"], { upstream, endpoint }: DesiredState["drained"][number]) =>
      !names.some((name) => name.upstream === upstream && name.endpoint === endpoint);
    const commands: CommonCommand[] = [
      { command: "watch", watched: desired.watched },
      ...(paused.length > 0 ? [{ command: "pause", upstreams: paused } as const] : []),
      ...(resumed.length > 0 ? [{ command: "resume", upstreams: resumed } as const] : []),
      ...desired.drained.filter((name) => lacks(before.drained, name)).map((name) =>
        ({ command: "drain", windowMs: DRAIN_MS, ...name }) as const
      ),
      ...before.drained.filter((name) => lacks(desired.drained, name)).map((name) =>
        ({ command: "undrain", ...name }) as const
      ),
    ];
    this.#host.setDesired(desired);
    const results = await Promise.all(commands.map((command) => participants.command(command)));
    return results.flat();
  }

  // Both

  /** An endpoint that a worker could not reach: the others are told. */
  down(hint: DownHint): void {
    this.#elder?.send({ ...hint, type: "down" });
    this.#heir?.send({ ...hint, type: "down" });
  }

  #spread(hint: DownHint, from: number): void {
    this.#host.participants.tell({ ...hint, type: "down" });
    if (from !== ELDER) this.#elder?.send({ ...hint, type: "down" });
    if (from !== HEIR) this.#heir?.send({ ...hint, type: "down" });
  }

  /** Something happened in a worker. */
  event(event: WorkerEvent, before: boolean): void {
    this.#heir?.send({ type: "event", event, before });
  }

  // Slots, see SlotSender. @returns false when the holder is a worker

  grant(holder: number, slots: Slots): boolean {
    if (holder === ELDER) this.#elder?.send({ type: "grant", ...slots });
    else if (holder === HEIR) this.#heir?.send({ type: "give", ...slots });
    return holder < 0;
  }

  recall(holder: number, wanted: Wanted): boolean {
    if (holder === ELDER) this.#elder?.send({ type: "recall", ...wanted });
    else if (holder === HEIR) this.#heir?.send({ type: "want", ...wanted });
    return holder < 0;
  }
}
