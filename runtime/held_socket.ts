/** A listening socket that is kept open for the processes that accept from it: a descriptor and a path. */
import * as fs from "node:fs";
import type { Address, Listener } from "./contract.ts";
import { removePath } from "./unix_path.ts";

export class HeldSocket implements Listener {
  readonly address: Address;
  readonly descriptor: number;
  readonly #closeDescriptor: () => void;
  #open = true;

  /** @param closeDescriptor where that takes more than close(2) */
  constructor(
    address: Address,
    descriptor: number,
    closeDescriptor: () => void = () => fs.closeSync(descriptor),
  ) {
    this.address = address;
    this.descriptor = descriptor;
    this.#closeDescriptor = closeDescriptor;
  }

  close(): Promise<void> {
    if (this.#open && this.address.kind === "unix") removePath(this.address.path);
    return this.leave();
  }

  /** Nobody is accepted here. */
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
