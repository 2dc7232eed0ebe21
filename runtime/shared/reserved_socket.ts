/** A listening socket that is kept open for the processes that accept from it: a descriptor and a path. */
import * as fs from "node:fs";
import type { Address, Listener } from "../contract/contract.ts";
import { OwnPath } from "./unix_path.ts";

export class ReservedSocket implements Listener {
  readonly address: Address;
  readonly descriptor: number;
  readonly #closeDescriptor: () => void;
  readonly #path: OwnPath | null;
  #open = true;

  /** @param closeDescriptor where that takes more than close(2) */
  constructor(
    address: Address,
    descriptor: number,
    closeDescriptor: () => void = () => fs.closeSync(descriptor),
  ) {
    this.address = address;
    this.descriptor = descriptor;
    this.#path = address.kind === "unix" ? new OwnPath(address.path) : null;
    this.#closeDescriptor = closeDescriptor;
  }

  close(): Promise<void> {
    if (this.#open) this.#path?.remove();
    return this.leave();
  }

  /** No connection is accepted here. */
  certify(): Promise<void> {
    return Promise.resolve();
  }

  leave(): Promise<void> {
    if (this.#open) {
      this.#open = false;
      this.#closeDescriptor();
    }
    return Promise.resolve();
  }
}
