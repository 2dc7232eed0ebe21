/** What becomes of workers, as log lines and events. */

import type { SupervisorObserver } from "../process/supervisor/supervisor_observer.ts";
import type { EventHub } from "../control/event_hub.ts";
import type { WorkerEvent } from "../process/worker/messages.ts";
import type { Fields, Logger } from "../observe/logger.ts";
import { requestToTell } from "../observe/script_log.ts";
import type { Noted, NotedCall } from "../process/shared/script_note.ts";

export class LoggingObserver implements SupervisorObserver {
  readonly #logger: Logger;
  readonly #events: EventHub;

  constructor(logger: Logger, events: EventHub) {
    this.#logger = logger;
    this.#events = events;
  }

  workerEnded(index: number, pid: number, why: string, pauseMs: number): void {
    const pause = Math.round(pauseMs);
    this.#events.workerGone(index);
    this.#events.note({ event: "worker_ended", worker: index + 1, detail: why });
    this.#logger.error("worker_ended", `worker ${index + 1} ended: ${why}; a new one starts in ${pause} ms`, {
      worker: index + 1,
      pid,
    });
  }

  workerStalled(index: number, pid: number, silentMs: number, noted: Noted | null): void {
    const seconds = Math.round(silentMs / 1000);
    const where = noted === "outside" ? ", in a timer or after an await" : "";
    this.#logger.error(
      "script_stalled",
      `worker ${
        index + 1
      } has not been heard of for ${seconds} s: a script does not come to an end${where}; the worker is ended`,
      { worker: index + 1, pid, ...(noted === null || noted === "outside" ? {} : fieldsOf(noted)) },
    );
  }

  workerBack(index: number, pid: number): void {
    this.#events.note({ event: "worker_back", worker: index + 1, detail: `process ${pid}` });
    this.#logger.info("worker_back", `worker ${index + 1} serves again`, { worker: index + 1, pid });
  }

  workerEvent(index: number, event: WorkerEvent, before: boolean): void {
    this.#events.fromWorker(index, event, before);
  }

  participantGone(index: number): void {
    this.#events.workerGone(index);
  }

  workerConfused(index: number, what: string): void {
    this.#logger.error("worker_confused", `worker ${index + 1} ${what}`, { worker: index + 1 });
  }
}

/** As in the lines about a script that the worker itself tells of. */
function fieldsOf({ script, phase, method, uri }: NotedCall): Fields {
  return { script, in: phase, request: requestToTell(method, uri) };
}
