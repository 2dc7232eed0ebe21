/** Where in the way of a request a script stands, and the requests that come there. */

import type { ExchangeContext } from "../exchange/exchange_context.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { Head } from "../http/head.ts";
import type { Counted } from "../upstream/counters.ts";
import type { StreamSource } from "../upstream/stream_source.ts";
import type { Script } from "./script.ts";
import type { ScriptFaults } from "./script_faults.ts";
import type { NamedUpstream, Onward, ScriptHost } from "./script_host.ts";

export interface ScriptStage {
  readonly script: Script;
  readonly host: ScriptHost;
  readonly faults: ScriptFaults;
  /** As it is by now; one that a reload has taken away meanwhile is still there for requests that began before. */
  upstream(name: string): NamedUpstream | null;
  /** The script had nothing to say against it: on with whoever comes next. */
  next(request: Onward, route: Counted | null): void;
}

/** A request as it comes to a stage. */
export interface Incoming {
  readonly client: DownstreamStream;
  readonly context: ExchangeContext;
  /** As received. */
  readonly head: Head;
  /** As an earlier script has left it. */
  readonly sent: Head;
  readonly target: string;
  readonly authority: string;
  readonly route: Counted | null;
  /** Where the route leads to, if that is an upstream. */
  readonly leadsTo: StreamSource | null;
  /** In the hands of an earlier script: what that has decided holds where this one says nothing. */
  readonly before: Onward | null;
}
