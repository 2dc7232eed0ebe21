/** The process whose place we have taken, as long as it drains: a participant beside the workers. */

import { ELDER, type ElderCommand, type ToElder, type ToHeir } from "./lineage_messages.ts";
import type { LineageNames } from "./lineage_names.ts";
import type { CommandResult, DesiredState, DownHint, EndpointName, WorkerEvent } from "../worker/messages.ts";
import { emptyReport, type Report } from "../worker/report.ts";
import type { SlotLedger } from "./slot_ledger.ts";

/** What it needs of the supervisor. None of it calls back. Names are ours. */
export interface ElderHost {
  readonly ledger: SlotLedger;
  readonly names: LineageNames;
  done(id: number, result: CommandResult): void;
  reported(): void;
  down(hint: DownHint): void;
  event(event: WorkerEvent, before: boolean): void;
  /** Sums over all participants. */
  report(): Promise<Report>;
  /** A client that the old process was waiting for has left: the pause with this token is over. */
  left(token: string): void;
}

export class Elder {
  readonly pid: number;
  readonly #host: ElderHost;
  readonly #send: (message: ToElder) => void;
  /** What it told last, in its names. */
  #report: Report = emptyReport();
  /** By the command to go over to other endpoints: what to do when it could not. */
  readonly #following = new Map<number, () => void>();

  constructor(host: ElderHost, pid: number, send: (message: ToElder) => void) {
    this.#host = host;
    this.pid = pid;
    this.#send = send;
  }

  /**
   * It drains from now on, as we say. To be called once, when messages of the ledger to `ELDER` get here.
   *
   * @param limits endpoints whose slots are ours to hand out, by its names
   */
  lead(limits: readonly EndpointName[], desired: DesiredState): void {
    this.#send({ type: "lead", limits });
    // Whatever was asked of either while the names changed hands.
    this.setDesired(desired);
    this.#host.ledger.wake(ELDER);
    this.ask();
  }

  /** What it told last. */
  get report(): Report {
    return this.#host.names.oursReport(this.#report);
  }

  send(message: Extract<ToElder, { readonly type: "grant" | "recall" | "down" | "abort" }>): void {
    const { names } = this.#host;
    switch (message.type) {
      case "grant":
      case "recall":
        this.#send(names.theirsSlots(message));
        return;
      case "down": {
        const name = names.theirs(message);
        if (name !== null) this.#send({ ...message, ...name });
        return;
      }
      case "abort":
        this.#send(message);
        return;
      default:
        message satisfies never;
    }
  }

  /** Exactly this is paused and out of use. */
  setDesired(desired: DesiredState): void {
    this.command(0, { command: "desire", desired });
  }

  /** One that is about nothing it has is done. */
  command(id: number, command: ElderCommand): void {
    const { names } = this.#host;
    const theirs = names.theirsCommand(command);
    if (theirs === null) {
      this.#host.done(id, { ok: true });
      return;
    }
    if (theirs.command === "follow") this.#following.set(id, names.follow(theirs.upstreams));
    this.#send({ type: "command", id, command: theirs });
  }

  /** Its report is to be told anew. */
  ask(): void {
    this.#send({ type: "report" });
  }

  heard(message: ToHeir): void {
    const host = this.#host;
    const { names } = host;
    switch (message.type) {
      case "done":
        if (!message.result.ok) this.#following.get(message.id)?.();
        this.#following.delete(message.id);
        host.done(message.id, message.result);
        return;
      case "want":
        host.ledger.want(ELDER, names.oursSlots(message));
        return;
      case "give":
        host.ledger.give(ELDER, names.oursSlots(message));
        return;
      case "down":
        host.down({ ...message, ...names.ours(message) });
        return;
      case "event":
        host.event(names.oursEvent(message.event), message.before);
        return;
      case "report":
        this.#report = message.report;
        host.reported();
        return;
      case "whole": {
        const { id } = message;
        void host.report().then((report) =>
          this.#send({ type: "whole", id, report: names.theirsReport(report) })
        );
        return;
      }
      case "resume":
        host.left(message.token);
        return;
      default:
        // Of a later version.
        message satisfies never;
    }
  }
}
