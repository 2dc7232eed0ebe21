/** Opens connections for tunnels: to an address, or to one that a name has. */

import type { Address, Dial, Runtime, SocketError } from "../../runtime/contract/contract.ts";
import { ConnectionBytes } from "../conn/connection_bytes.ts";
import type { IoTurn } from "../conn/io_turn.ts";
import { TunnelConnection } from "../conn/tunnel_connection.ts";
import type { ByteStream } from "../http/byte_stream.ts";
import { CONNECTED_TO_ITSELF, connectedToItself } from "./dial_fault.ts";

/** Told how it went, in a turn. Exactly one of both, never inside `connect`, and nothing after `cancel`. */
export interface BytesEnd {
  /** @param address IP literal that it leads to, "" for Unix sockets */
  opened(bytes: ByteStream, address: string): void;
  failed(error: SocketError): void;
}

export class ByteConnector {
  readonly #dial: Runtime["dial"];
  readonly #turn: IoTurn;

  constructor(runtime: Pick<Runtime, "dial">, turn: IoTurn) {
    this.#dial = (options, events) => runtime.dial(options, events);
    this.#turn = turn;
  }

  /** @param timeoutMs for the look-up and the dial together */
  connect(address: Address, timeoutMs: number, end: BytesEnd): Dial {
    const turn = this.#turn;
    return this.#dial({ address, tls: null, timeoutMs }, {
      opened: (socket) => {
        turn.begin();
        const connection = new TunnelConnection(turn, socket);
        if (connectedToItself(socket)) {
          connection.abort();
          end.failed(CONNECTED_TO_ITSELF);
        } else {
          end.opened(new ConnectionBytes(connection), socket.remoteAddress);
        }
        turn.end();
        return connection;
      },
      failed: (error) => {
        turn.begin();
        end.failed(error);
        turn.end();
      },
    });
  }
}
