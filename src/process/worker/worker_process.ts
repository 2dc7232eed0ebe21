/** Workers in processes of their own: how the supervisor starts one, and what such a process does. */

import { FIRST_GIVEN_DESCRIPTOR, type Runtime, type System } from "../../../runtime/contract/contract.ts";
import type { ToSupervisor, ToWorker } from "./messages.ts";
import type { StartWorker } from "./worker_link.ts";
import { EXIT } from "../shared/exit_code.ts";
import { type GivenSocket, Sockets, socketsOf } from "../shared/sockets.ts";
import { Worker } from "./worker.ts";

/** Goes before all that the supervisor says: the sockets that the process was started with. */
interface SocketsMessage {
  readonly type: "sockets";
  readonly sockets: readonly GivenSocket[];
}

/**
 * For the supervisor.
 *
 * @param kept by listener, sockets that this process keeps for its workers; empty = each binds its own
 */
export function workerProcesses(system: System, kept: readonly (readonly GivenSocket[])[]): StartWorker {
  return (place, events) => {
    const args = ["worker", `${place.index + 1}/${place.count}`];
    const ours = kept.flatMap((sockets) => socketsOf(sockets, place.index, place.count));
    const started = system.startWorker(args, {
      // The casts, here and below: both ends are this program, and `hello` tells of another version.
      message: (message) => events.message(message as ToSupervisor),
      exited: ({ code, signal, detail }) => events.exited({ code, signal: signal === "" ? detail : signal }),
    }, ours.map(({ descriptor }) => descriptor));
    const sockets = ours.map((socket, at) => ({ ...socket, descriptor: FIRST_GIVEN_DESCRIPTOR + at }));
    started.channel.send({ type: "sockets", sockets } satisfies SocketsMessage);
    return {
      pid: started.pid,
      send: (message: ToWorker) => started.channel.send(message),
      kill: () => started.kill(),
    };
  };
}

/**
 * Serves as the worker of the process that started us, and resolves with the exit code; null at once when
 * that is not how we were started.
 */
export async function serveAsWorker(runtime: Runtime, system: System): Promise<number | null> {
  const sockets = new Sockets(runtime, system, [], true);
  const channel = system.connectParent({
    message: (message) => {
      const heard = message as ToWorker | SocketsMessage;
      if (heard.type === "sockets") sockets.inherit(heard.sockets);
      else worker.receive(heard);
    },
    // Without the parent no command comes any more: what is in flight may end.
    closed: () => worker.stop(),
  });
  const worker = new Worker(sockets.runtime, system, (message) => channel?.send(message), null);
  if (channel === null) return null;
  // A terminal's ^C and hang-up go to all processes of its group; what becomes of us is the parent's to say.
  for (const name of ["SIGINT", "SIGHUP", "SIGUSR2"] as const) system.onSignal(name, () => {});
  // Sent to all by a supervisor, or to us alone by an operator who wants a new worker.
  system.onSignal("SIGTERM", () => worker.stop());
  system.onSignal("SIGUSR1", () => void worker.reopen());
  worker.begin();
  await worker.done;
  await channel.flush();
  return EXIT.done;
}
