/** The worker of a Sluice with one: in the supervisor's process, with a channel of plain calls. */

import type { Runtime, System } from "../../../runtime/contract/contract.ts";
import type { StartWorker } from "./worker_link.ts";
import type { Logger } from "../../observe/logger.ts";
import type { ExchangeSink } from "../../observe/telemetry.ts";
import type { ToSupervisor } from "./messages.ts";
import { Worker } from "./worker.ts";

/** @param exchanges told of each that has ended */
export function localWorker(
  runtime: Runtime,
  system: System,
  logger: Logger,
  exchanges?: ExchangeSink,
): StartWorker {
  return (_place, events) => {
    // A message is never heard inside the call that sends it, as between processes.
    const later = (deliver: () => void) => void Promise.resolve().then(deliver);
    const send = (message: ToSupervisor) => later(() => events.message(message));
    const worker = new Worker(runtime, system, send, logger, exchanges);
    later(() => worker.begin());
    void worker.done.then(() => events.exited({ code: 0, signal: "" }));
    return {
      pid: system.pid,
      send: (message) => later(() => worker.receive(message)),
      kill: () => worker.abort(),
      report: () => worker.report(),
    };
  };
}
