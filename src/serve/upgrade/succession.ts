/**
 * What a Sluice and the one that takes its place tell each other:
 *
 *     the old one         take          yours                 is quiet, its process ends
 *     the new one  hello        ready         mine | failed
 *
 * Until `ready` the new one is on trial: it has read the configuration and the files, and its workers serve
 * beside the old ones, from the same sockets. With `yours` it takes over the names: pid file, port file, control
 * socket, the service manager's attention. Whatever goes wrong up to `mine` ends the new one, and the old one has lost nothing.
 *
 * After `mine` the old one drains as the new one says, when both have told the same `lineage`: then `elder` and `heir`
 * carry the messages of process/supervisor/lineage_messages.ts. Otherwise it drains alone, and tells when it is `quiet`.
 */

import type { Address } from "../../../runtime/contract/contract.ts";
import type { HandoverState } from "../../control/handover_state.ts";
import type { ToElder, ToHeir } from "../../process/supervisor/lineage_messages.ts";
import type { NamedUpstream } from "../../process/supervisor/lineage_names.ts";
import type { LimitedEndpoint } from "../../process/worker/limits.ts";
import type { GivenSocket } from "../../process/shared/sockets.ts";

/** Raised when a message changes its meaning. Fields that the other side does not know are no change. */
export const SUCCESSION_PROTOCOL = 1;

/**
 * Which words a side writes and reads. `hello` and `take` tell it, so that each side writes what the other one reads; a
 * version that tells none reads those of former_messages.ts only.
 */
export const VOCABULARY = 2;

export type ToSuccessor =
  | {
    readonly type: "take";
    /** `descriptor` counts from `FIRST_GIVEN_DESCRIPTOR`. */
    readonly sockets: readonly GivenSocket[];
    /** All that it listens on: workers may share ports (SO_REUSEPORT) of which the parent has no socket. */
    readonly listening: readonly Address[];
    readonly handover: HandoverState;
    readonly pid?: number;
    readonly vocabulary?: number;
    /** Which protocol the old one speaks while it drains. */
    readonly lineage?: number;
    /** Endpoints with a limit: all slots are the old one's until it gives them back. */
    readonly limits?: readonly LimitedEndpoint[];
    /** What it calls its upstreams and where they are: the new one may have other names for them. */
    readonly upstreams?: readonly NamedUpstream[];
  }
  | Yours
  | { readonly type: "elder"; readonly message: ToHeir }
  /** Nothing of the old one is on its way to these upstreams any more. */
  | { readonly type: "quiet"; readonly upstreams: readonly string[] };

/** What has changed since `take`. */
export interface Yours {
  readonly type: "yours";
  readonly handover: HandoverState;
  /** Log files are to be opened anew: they may have been moved away after the new one had opened them. */
  readonly reopen?: boolean;
  /** The configuration is to be read anew, for the same reason. */
  readonly reload?: boolean;
}

export type ToPredecessor =
  | {
    readonly type: "hello";
    readonly protocol: number;
    readonly version: string;
    readonly pid: number;
    readonly vocabulary?: number;
    /** Which protocol the new one speaks while the old one drains. */
    readonly lineage?: number;
  }
  | { readonly type: "ready" }
  | { readonly type: "mine" }
  | { readonly type: "heir"; readonly message: ToElder }
  /** It is about to end, and this is why; for people. */
  | { readonly type: "failed"; readonly lines: readonly string[] };
