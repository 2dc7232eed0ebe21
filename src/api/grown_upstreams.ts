/** Upstreams that handlers of a gate bring along (`proxy`), and how one is made when a request comes to it first. */

import { ScriptError } from "../answer/script_error.ts";
import type { UpstreamMaker } from "./program_functions.ts";
import type { CarriedUpstream, CarriedUpstreams } from "./proxy_handler.ts";

/** A program that makes them anew for each request would fill the memory. */
const MOST = 1000;

export class GrownUpstreams implements UpstreamMaker {
  /** In the configuration. By name, here and below. */
  #known: CarriedUpstreams = new Map();
  /** Settles when it is there. */
  readonly #making = new Map<string, Promise<void>>();
  #add: (upstream: CarriedUpstream) => Promise<void> = () => Promise.resolve();

  /** @param add changes the configuration, after all changes that were asked for before */
  use(known: CarriedUpstreams, add: (upstream: CarriedUpstream) => Promise<void>): void {
    this.#known = known;
    this.#add = add;
  }

  get known(): CarriedUpstreams {
    return this.#known;
  }

  /** These are in the configuration now. */
  know(known: CarriedUpstreams): void {
    this.#known = known;
  }

  has({ name }: CarriedUpstream): boolean {
    return this.#known.has(name);
  }

  make(upstream: CarriedUpstream): Promise<void> {
    const { name } = upstream;
    let making = this.#making.get(name);
    if (making === undefined) {
      if (this.#known.size + this.#making.size >= MOST) {
        const words = `proxy: ${MOST} upstreams have been made of it: make it once, and not for each request`;
        return Promise.reject(new ScriptError(words));
      }
      making = this.#add(upstream).finally(() => this.#making.delete(name));
      this.#making.set(name, making);
    }
    return making;
  }
}
