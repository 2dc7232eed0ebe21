/** Datagrams over `node:dgram`, which all three runtimes have. */
import type * as dgram from "node:dgram";
import type { DatagramEvents, DatagramOptions, DatagramSocket } from "../contract/contract.ts";
import { dgramModule } from "./lazy_module.ts";
import { plainAddress } from "./plain_address.ts";
import { socketErrorOf } from "./socket_error.ts";

/** @param onHandlerError told what a handler has thrown */
export function openDatagrams(
  options: DatagramOptions,
  events: DatagramEvents,
  onHandlerError: (error: unknown) => void,
): DatagramSocket {
  return new NodeDatagrams(options, events, onHandlerError);
}

class NodeDatagrams implements DatagramSocket {
  readonly #events: DatagramEvents;
  readonly #onHandlerError: (error: unknown) => void;
  #socket: dgram.Socket | null = null;
  #connected = false;
  /** Handed over before the socket was ready. */
  #waiting: Uint8Array[] = [];

  constructor(
    { host, port }: DatagramOptions,
    events: DatagramEvents,
    onHandlerError: (error: unknown) => void,
  ) {
    this.#events = events;
    this.#onHandlerError = onHandlerError;
    const six = host.includes(":");
    try {
      const socket = dgramModule().createSocket({
        type: six ? "udp6" : "udp4",
        // The platforms look literals up as well, in the pool of threads that this is to keep free.
        lookup: (name, _options, found) => found(null, name, six ? 6 : 4),
      });
      this.#socket = socket;
      socket.on("error", (error) => this.#fail(error));
      socket.on("message", (bytes, from) => {
        // Deno does not connect the socket, so that anybody's datagrams arrive.
        if (from.port === port && sameAddress(from.address, host)) this.#received(bytes);
      });
      socket.connect(port, host, () => this.#ready());
    } catch (error) {
      queueMicrotask(() => this.#fail(error));
    }
  }

  send(bytes: Uint8Array): void {
    if (!this.#connected) this.#waiting.push(bytes);
    else this.#send(bytes);
  }

  close(): void {
    const socket = this.#socket;
    this.#socket = null;
    try {
      socket?.close();
    } catch {
      // It had not been opened.
    }
  }

  #ready(): void {
    if (this.#socket === null) return;
    this.#connected = true;
    for (const bytes of this.#waiting.splice(0)) this.#send(bytes);
  }

  #send(bytes: Uint8Array): void {
    try {
      this.#socket?.send(bytes);
    } catch (error) {
      queueMicrotask(() => this.#fail(error));
    }
  }

  #received(bytes: Uint8Array): void {
    if (this.#socket === null) return;
    this.#tell(() => this.#events.received(bytes));
  }

  #fail(error: unknown): void {
    if (this.#socket === null) return;
    this.close();
    this.#tell(() => this.#events.failed(socketErrorOf(error, "dial")));
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#onHandlerError(error);
    }
  }
}

/** Kernels write addresses in the form of RFC 5952; a literal of ours may have another. */
function sameAddress(from: string, host: string): boolean {
  const plain = plainAddress(from);
  return plain === host || (host.includes(":") && withoutZone(plain) === withoutZone(host));
}

function withoutZone(address: string): string {
  const zone = address.indexOf("%");
  return zone < 0 ? address : address.slice(0, zone);
}
