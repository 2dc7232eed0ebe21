/** What requests through the forward proxy are counted for. It outlives configurations, so that sums only grow. */

import { type Counted, Counters, EndpointCounters } from "../../upstream/counters.ts";

export class ForwardRule implements Counted {
  readonly name: string;
  /** Of all requests, those included that were refused. */
  readonly counters = new Counters();
  /** Of requests that had a destination, for all destinations together: there is no limit to their names. */
  readonly destinations: Counted & { readonly counters: Counters };
  readonly answers = new EndpointCounters();
  /** Requests with credentials that were wrong, or that could not be read. */
  wrongCredentials = 0;
  /** CONNECT requests whose destination was dialled. */
  tunnelsBegun = 0;

  constructor(name: string) {
    this.name = name;
    this.destinations = { name, counters: new Counters() };
  }
}
