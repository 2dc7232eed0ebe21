/**
 * Started by handover_test.ts in its own place: listens on the sockets that it is told of and greets whoever
 * connects. Ends, as a process does that dies, when the test has gone.
 */
import process from "node:process";
import type { Address, Listener, ServerTls } from "../../runtime/contract/contract.ts";
import { createSystem } from "../../runtime/shared/system.ts";
import { adapterFactory } from "../support/adapter.ts";

/** What the test asks for. */
export type WorkerCommand =
  | {
    readonly type: "listen";
    readonly address: Address;
    readonly inherited: number;
    readonly tls: ServerTls | null;
  }
  | { readonly type: "close" };

const system = createSystem();
const runtime = (await adapterFactory())({
  onHandlerError: (error) => {
    throw error;
  },
});
const listeners: Listener[] = [];

const channel = system.connectPredecessor({
  message: (message) => void obey(message as WorkerCommand),
  closed: () => system.exit(0),
});
channel?.send({ hello: process.argv.slice(2), channelVariable: process.env["NODE_CHANNEL_FD"] ?? null });

async function obey(order: WorkerCommand): Promise<void> {
  if (order.type === "close") {
    await Promise.all(listeners.map((listener) => listener.close()));
    channel?.send({ closed: true });
    return;
  }
  const { address, inherited, tls } = order;
  const listener = await runtime.listen(
    { address, inherited, tls, backlog: 511, reusePort: false, handshakeTimeoutMs: 5_000 },
    {
      accepted(socket) {
        const text = new TextEncoder().encode(`${system.pid} ${socket.remoteAddress} ${socket.localPort}`);
        return {
          data() {
            socket.write(text, 0, text.length);
            socket.close();
          },
          drained() {},
          ended: () => socket.close(),
          closed() {},
        };
      },
      acceptFailed() {},
    },
  );
  listeners.push(listener);
  channel?.send({ listening: listener.address, descriptor: listener.descriptor !== null });
}
