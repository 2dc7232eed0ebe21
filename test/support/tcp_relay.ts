/** Passes bytes on between a client and a server, until it is told to end the client's connection. */

import * as net from "node:net";

export class TcpRelay {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  /** Clients' ends of the connections, in the order in which they came. */
  readonly #fronts: net.Socket[] = [];

  private constructor(port: number) {
    this.#server = net.createServer({ allowHalfOpen: true }, (gateway) => {
      const back = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true });
      this.#fronts.push(gateway);
      for (const [from, to] of [[gateway, back], [back, gateway]] as const) {
        this.#sockets.add(from);
        from.on("data", (bytes: Uint8Array) => {
          if (to.writable) to.write(bytes);
        });
        from.on("end", () => to.end());
        from.on("error", () => to.destroy());
        from.on("close", () => this.#sockets.delete(from));
      }
    });
  }

  /** @param port of the server, on the loopback */
  static async start(port: number): Promise<TcpRelay> {
    const relay = new TcpRelay(port);
    await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** Sends FIN, or RST, to the client that came last; nothing of the server passes any more. */
  cut(how: "finish" | "reset"): void {
    const gateway = this.#fronts.at(-1);
    if (how === "finish") gateway?.end();
    else gateway?.resetAndDestroy();
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
