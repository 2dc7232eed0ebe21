/** The process that has taken our place, as long as we drain: it says what is to be done. */

import { type ElderCommand, HEIR, type ToElder, type ToHeir } from "./lineage_messages.ts";
import type { CommandResult, DownHint } from "../worker/messages.ts";
import type { Report } from "../worker/report.ts";
import type { SlotLedger } from "./slot_ledger.ts";

/** What it needs of the supervisor. None of it calls back. */
export interface HeirHost {
  readonly ledger: SlotLedger;
  /** Has it carried out by all that is ours. */
  carryOut(command: ElderCommand): Promise<CommandResult>;
  /** Sums over all that is ours. */
  report(): Promise<Report>;
  down(hint: DownHint): void;
  /** Ends everything now. */
  abort(): void;
}

export class Heir {
  readonly #host: HeirHost;
  readonly #send: (message: ToHeir) => void;
  /** Questions for the sums over both that have no answer so far. */
  readonly #wholes = new Map<number, (report: Report | null) => void>();
  #lastId = 0;
  #gone = false;

  constructor(host: HeirHost, send: (message: ToHeir) => void) {
    this.#host = host;
    this.#send = send;
  }

  send(message: Extract<ToHeir, { readonly type: "want" | "give" | "down" | "event" | "resume" }>): void {
    this.#send(message);
  }

  heard(message: ToElder): void {
    const host = this.#host;
    switch (message.type) {
      case "lead":
        host.ledger.submit(HEIR, message.limits);
        return;
      case "command": {
        const { id, command } = message;
        void host.carryOut(command).then((result) => this.#send({ type: "done", id, result }));
        return;
      }
      case "grant":
        host.ledger.regain(message);
        return;
      case "recall":
        host.ledger.press(message);
        return;
      case "down":
        host.down(message);
        return;
      case "report":
        void this.tell();
        return;
      case "abort":
        host.abort();
        return;
      case "whole":
        this.#wholes.get(message.id)?.(message.report);
        this.#wholes.delete(message.id);
        return;
      default:
        // Of a later version.
        message satisfies never;
    }
  }

  /** Tells what we have counted so far. Resolves when it has been sent. */
  async tell(): Promise<void> {
    this.#send({ type: "report", report: await this.#host.report() });
  }

  /** Sums over both; over what is ours alone when the other is gone. */
  async whole(): Promise<Report> {
    const asked = this.#gone ? null : await new Promise<Report | null>((told) => {
      const id = ++this.#lastId;
      this.#wholes.set(id, told);
      this.#send({ type: "whole", id });
    });
    return asked ?? await this.#host.report();
  }

  /** The process is gone: we go on alone. */
  gone(): void {
    this.#gone = true;
    this.#host.ledger.leave(HEIR);
    for (const told of this.#wholes.values()) told(null);
    this.#wholes.clear();
  }
}
