/** The process whose place we have taken, as long as it drains: a participant beside the workers. */

import { ELDER, type ElderCommand, type ToElder, type ToHeir } from "./lineage_messages.ts";
import type { CommandResult, DesiredState, DownHint, EndpointName, WorkerEvent } from "../worker/messages.ts";
import { emptyReport, type Report } from "../worker/report.ts";
import type { SlotLedger } from "./slot_ledger.ts";

/** What it needs of the supervisor. None of it calls back. */
export interface ElderHost {
  readonly ledger: SlotLedger;
  done(id: number, result: CommandResult): void;
  reported(): void;
  down(hint: DownHint): void;
  event(event: WorkerEvent, before: boolean): void;
  /** Sums over all participants. */
  report(): Promise<Report>;
  /** Somebody whom the old process was waiting for has left: the pause with this token is over. */
  left(token: string): void;
}

export class Elder {
  readonly pid: number;
  readonly #host: ElderHost;
  readonly #send: (message: ToElder) => void;
  /** What it told last. */
  report: Report = emptyReport();

  constructor(host: ElderHost, pid: number, send: (message: ToElder) => void) {
    this.#host = host;
    this.pid = pid;
    this.#send = send;
  }

  /**
   * It drains from now on, as we say. To be called once, when messages of the ledger to `ELDER` get here.
   *
   * @param limits endpoints whose slots are ours to hand out
   */
  lead(limits: readonly EndpointName[], desired: DesiredState): void {
    this.#send({ type: "lead", limits });
    // Whatever was asked of either while the names changed hands.
    this.command(0, { command: "desire", desired });
    this.#host.ledger.wake(ELDER);
    this.ask();
  }

  send(message: Extract<ToElder, { readonly type: "grant" | "recall" | "down" | "abort" }>): void {
    this.#send(message);
  }

  command(id: number, command: ElderCommand): void {
    this.#send({ type: "command", id, command });
  }

  /** Its report is to be told anew. */
  ask(): void {
    this.#send({ type: "report" });
  }

  heard(message: ToHeir): void {
    const host = this.#host;
    switch (message.type) {
      case "done":
        host.done(message.id, message.result);
        return;
      case "want":
        host.ledger.want(ELDER, message);
        return;
      case "give":
        host.ledger.give(ELDER, message);
        return;
      case "down":
        host.down(message);
        return;
      case "event":
        host.event(message.event, message.before);
        return;
      case "report":
        this.report = message.report;
        host.reported();
        return;
      case "whole": {
        const { id } = message;
        void host.report().then((report) => this.#send({ type: "whole", id, report }));
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
