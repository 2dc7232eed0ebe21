/** Connections by way of proxies are opened by another connector than direct ones: other rules say where those may go. */

import type { Turn } from "../time/turn.ts";
import type { ConnectEnd, ConnectOptions, Connector } from "./connector.ts";
import type { ReuseKey } from "./reuse_key.ts";

export class ChainedConnector implements Connector {
  readonly #direct: Connector;
  readonly #byProxy: Connector;

  constructor(direct: Connector, byProxy: Connector) {
    this.#direct = direct;
    this.#byProxy = byProxy;
  }

  get turn(): Turn {
    return this.#direct.turn;
  }

  connect(key: ReuseKey, options: ConnectOptions, end: ConnectEnd): void {
    (key.proxyChain.length === 0 ? this.#direct : this.#byProxy).connect(key, options, end);
  }
}
