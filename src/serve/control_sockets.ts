/** The control sockets of one Sluice: one, but for an upgrade that failed late. The next one has its path then. */

import type { Address, Runtime, System, UnixAccess } from "../../runtime/contract/contract.ts";
import type { Logger } from "../observe/logger.ts";
import type { HttpReply, HttpRoute } from "../server/http_message.ts";
import { ControlSocket } from "./control_socket.ts";

export interface ControlSocketsOptions {
  /** As the configuration has it: a path, "off", or null for the default. */
  readonly control: string | null;
  readonly access: UnixAccess;
  readonly routes: readonly HttpRoute[];
  /** Asked before a route is: answers when it must not be. */
  readonly refuse: () => HttpReply | null;
  /** A bug in a route. */
  readonly onError: (error: unknown) => void;
}

export class ControlSockets {
  readonly #runtime: Runtime;
  readonly #system: System;
  readonly #logger: Logger;
  readonly #options: ControlSocketsOptions;
  readonly #open: ControlSocket[] = [];

  constructor(runtime: Runtime, system: System, logger: Logger, options: ControlSocketsOptions) {
    this.#runtime = runtime;
    this.#system = system;
    this.#logger = logger;
    this.#options = options;
  }

  /**
   * @param listeners the addresses really bound
   * @param takeOver a Sluice that answers at the path hands its place to us
   * @returns why the path that was asked for cannot be used; null when it can, or when Sluice does without
   */
  async open(listeners: readonly Address[], takeOver: boolean): Promise<string | null> {
    const opened = await ControlSocket.open(this.#runtime, this.#system, {
      ...this.#options,
      listeners,
      takeOver,
      noted: (message) => this.#logger.warn("control", message),
    });
    if (opened.kind === "failed") return `--control: ${opened.why}`;
    if (opened.kind === "skipped") {
      this.#logger.warn("control", `no control socket, so no verb finds this Sluice: ${opened.why}`);
    }
    if (opened.kind === "open") this.#open.push(opened.socket);
    return null;
  }

  /** See `ControlSocket.close`. */
  async close(patienceMs: number, askingMs = 0): Promise<void> {
    await Promise.all(this.#open.map((socket) => socket.close(patienceMs, askingMs)));
  }
}
