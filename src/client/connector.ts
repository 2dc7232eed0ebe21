/** Opens connections: dials, sets TLS up where the destination wants it, and chooses the protocol. */

import type { Runtime, SocketError } from "../../runtime/contract/contract.ts";
import type { IoTurn } from "../conn/io_turn.ts";
import { UpstreamConnection } from "../conn/upstream_connection.ts";
import type { Http1Limits } from "../http/limits.ts";
import type { UpstreamPeer, UpstreamPeerOwner } from "../http/upstream_stream.ts";
import type { Turn } from "../time/turn.ts";
import { CONNECTED_TO_ITSELF, connectedToItself } from "./dial_fault.ts";
import type { ReuseKey } from "./reuse_key.ts";

export interface ConnectOptions {
  /** For the dial and the handshake together. */
  readonly timeoutMs: number;
  readonly limits: Http1Limits;
  readonly owner: UpstreamPeerOwner;
}

/** Told how it went, in a turn that has begun and that it ends. */
export interface ConnectEnd {
  opened(peer: UpstreamPeer): void;
  failed(error: SocketError): void;
}

export class Connector {
  readonly #dial: Runtime["dial"];
  readonly #turn: IoTurn;

  constructor(runtime: Pick<Runtime, "dial">, turn: IoTurn) {
    this.#dial = (options, events) => runtime.dial(options, events);
    this.#turn = turn;
  }

  get turn(): Turn {
    return this.#turn;
  }

  connect({ address, tls }: ReuseKey, { timeoutMs, limits, owner }: ConnectOptions, end: ConnectEnd): void {
    const turn = this.#turn;
    const began = turn.now;
    this.#dial({ address, tls, timeoutMs }, {
      opened: (socket) => {
        turn.begin();
        const connection = new UpstreamConnection(turn, socket, limits, owner);
        if (connectedToItself(socket)) {
          connection.drop();
          end.failed(CONNECTED_TO_ITSELF);
        } else {
          connection.connectMs = connection.openedAt - began;
          end.opened(connection);
        }
        return connection;
      },
      failed: (error) => {
        turn.begin();
        end.failed(error);
      },
    });
  }
}
