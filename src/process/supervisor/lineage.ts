/**
 * The processes before and after this one while an upgrade is not over: of which commands, questions and slots go to
 * them as well. There may be both, when a process that has taken a place is replaced before the old one is gone.
 */

import { formerNames } from "../../config/renamed.ts";
import { Elder } from "./elder.ts";
import { Heir } from "./heir.ts";
import {
  ELDER,
  type ElderCommand,
  type Followed,
  HEIR,
  type ToElder,
  type ToHeir,
} from "./lineage_messages.ts";
import type {
  CommandResult,
  CommonCommand,
  DesiredState,
  DownHint,
  EndpointName,
  Slots,
  Wanted,
  WorkerEvent,
} from "../worker/messages.ts";
import { LineageNames, type NamedUpstream } from "./lineage_names.ts";
import type { ElderLink, Participants } from "./participants.ts";
import { emptyReport, type Report, sumsOnly } from "../worker/report.ts";
import type { LimitedEndpoint } from "../worker/limits.ts";
import type { SlotLedger } from "./slot_ledger.ts";

/** How long what an order of the heir has put out of use may go on. */
const DRAIN_MS = 30_000;
/** How long requests may go on to endpoints that the upgrade has replaced: the old process has an end of its own for them. */
const WHILE_IT_DRAINS_MS = 24 * 3_600_000;

/** What it needs of the supervisor. */
export interface LineageHost {
  readonly ledger: SlotLedger;
  readonly participants: Participants;
  readonly desired: DesiredState;
  readonly upstreams: readonly NamedUpstream[];
  /** All endpoints, those without a limit with 0. */
  limits(): readonly LimitedEndpoint[];
  setDesired(desired: DesiredState): void;
  /** Goes over to other endpoints. */
  follow(command: Extract<ElderCommand, { readonly command: "follow" }>): Promise<CommandResult>;
  event(participant: number, event: WorkerEvent, before: boolean): void;
  /** The process before us is gone, and this is what it had counted. */
  elderGone(counted: Report): void;
  /** The process after us wants us to end now. */
  hurry(): void;
  /** A pause is over: the client that asked the process before us for it has left. */
  left(token: string): void;
}

export class Lineage implements ElderLink {
  readonly #host: LineageHost;
  #elder: Elder | null = null;
  #heir: Heir | null = null;
  /** What the process before us calls what we have; null when there has been none. */
  #names: LineageNames | null = null;
  /** Endpoints whose slots are ours to hand out, by the names that the process before us has for them. */
  #led: readonly EndpointName[] = [];

  constructor(host: LineageHost) {
    this.#host = host;
  }

  // The process before us

  /** Null when there is none, or it does not know of us as its heir. */
  get elder(): { readonly pid: number; readonly report: Report } | null {
    return this.#elder;
  }

  /** Process id of the process before us when it has left something unanswered for too long; null = it answers. */
  get silent(): number | null {
    return this.#elder !== null && this.#host.participants.elderSilent ? this.#elder.pid : null;
  }

  /**
   * Before the start: the process before us has these slots until it gives them back.
   *
   * @param limits by its names
   * @param names what it calls what we have. Ours from now on
   */
  expect(
    limits: readonly LimitedEndpoint[],
    names = new LineageNames(this.#host.upstreams, this.#host.upstreams),
  ): void {
    const { ledger } = this.#host;
    this.#names = names;
    const placed = limits.map((limit) => {
      const address = limit.address ?? names.addressOf(limit);
      return address === null ? limit : { ...limit, address };
    });
    ledger.expect(ELDER, placed, this.#host.limits(), names.former);
    this.#led = limits
      .filter((limit) => ledger.accountsFor(names.oursSlots(limit)))
      .map(({ upstream, endpoint }) => ({ upstream, endpoint }));
  }

  /**
   * Its place is ours: it drains, as our workers would.
   *
   * @returns resolves when what waits there goes where our configuration says, or it does not answer
   */
  succeed(pid: number, send: (message: ToElder) => void): Promise<void> {
    const host = this.#host;
    const names = this.#names ??= new LineageNames(host.upstreams, host.upstreams);
    this.#elder = new Elder(
      {
        ledger: host.ledger,
        names,
        done: (id, result) => host.participants.elderDone(id, result),
        reported: () => host.participants.elderReported(),
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
    this.#elder.lead(this.#led, host.desired);
    return host.participants.lead(this.differing(), WHILE_IT_DRAINS_MS);
  }

  differing(): readonly Followed[] {
    return this.#elder === null ? [] : this.#names?.differing() ?? [];
  }

  /**
   * Our configuration is another one, and stands.
   *
   * @returns by new name what upstreams were called otherwise before
   */
  reconfigure(
    before: readonly NamedUpstream[],
    after: readonly NamedUpstream[],
  ): ReadonlyMap<string, string> {
    if (this.#elder === null) return formerNames(before, after);
    const former = this.#names?.reconfigure(before, after) ?? formerNames(before, after);
    // What is paused or drained may be called otherwise by now, or be over.
    this.#elder.setDesired(this.#host.desired);
    return former;
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
  async lastReport(): Promise<void> {
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

  /** Sums over all processes that are one Sluice to its users. */
  report(): Promise<Report> {
    return this.#heir === null ? this.#host.participants.report() : this.#heir.whole();
  }

  async #carryOut(command: ElderCommand): Promise<CommandResult> {
    const host = this.#host;
    if (command.command === "follow") return await host.follow(command);
    let results: readonly CommandResult[];
    if (command.command === "desire") results = await this.#setDesired(command.desired);
    else {
      host.setDesired(desiredAfter(host.desired, command));
      results = await host.participants.command(command);
    }
    return results.find((result) => !result.ok) ?? { ok: true };
  }

  async #setDesired(desired: DesiredState): Promise<readonly CommandResult[]> {
    const { participants, desired: before } = this.#host;
    const held = (name: string) => before.paused.includes(name);
    const paused = desired.paused.filter((name) => !held(name));
    const resumed = before.paused.filter((name) => !desired.paused.includes(name));
    const lacks = (names: readonly EndpointName[], name: EndpointName) =>
      !names.some((each) => sameName(each, name));
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

/** The desired state once a command has been carried out: workers that start later, or change their configuration, follow it. */
function desiredAfter(desired: DesiredState, command: CommonCommand): DesiredState {
  const { paused, drained } = desired;
  switch (command.command) {
    case "pause":
      return { ...desired, paused: [...new Set([...paused, ...command.upstreams])] };
    case "resume":
      return { ...desired, paused: paused.filter((name) => !command.upstreams.includes(name)) };
    case "drain":
    case "undrain": {
      const { upstream, endpoint } = command;
      const others = drained.filter((name) => !sameName(name, command));
      return {
        ...desired,
        drained: command.command === "drain" ? [...others, { upstream, endpoint }] : others,
      };
    }
    case "watch":
      return { ...desired, watched: command.watched };
    case "reopen":
      return desired;
    default:
      return command satisfies never;
  }
}

function sameName(a: EndpointName, b: EndpointName): boolean {
  return a.upstream === b.upstream && a.endpoint === b.endpoint;
}
