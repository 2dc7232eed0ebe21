/**
 * What a Sluice and the one that takes its place tell each other:
 *
 *     the old one         take          yours                 is quiet, its process ends
 *     the new one  hello        ready         mine | failed
 *
 * Until `ready` the new one is on trial: it has read the configuration and the files, and its workers serve
 * beside the old ones, from the same sockets. With `yours` it takes over the names: pid file, port file, control
 * socket, the supervisor's attention. Whatever goes wrong up to `mine` ends the new one, and the old one has lost nothing.
 */

import type { Address } from "../../runtime/contract.ts";
import type { Carried } from "../control/carried.ts";
import type { GivenSocket } from "./sockets.ts";

/** Raised when a message changes its meaning. Fields that the other side does not know are no change. */
export const SUCCESSION_PROTOCOL = 1;

export type ToSuccessor =
  | {
    readonly type: "take";
    /** `descriptor` counts from `FIRST_GIVEN_DESCRIPTOR`. */
    readonly sockets: readonly GivenSocket[];
    /** All that it listens on: workers may share ports (SO_REUSEPORT) of which the parent has no socket. */
    readonly listening: readonly Address[];
    readonly carried: Carried;
  }
  /** With what has changed since: pauses. */
  | { readonly type: "yours"; readonly carried: Carried }
  /** Nothing of the old one is on its way to these upstreams any more. */
  | { readonly type: "quiet"; readonly upstreams: readonly string[] };

export type ToPredecessor =
  | {
    readonly type: "hello";
    readonly protocol: number;
    readonly version: string;
    readonly pid: number;
  }
  | { readonly type: "ready" }
  | { readonly type: "mine" }
  /** It is about to end, and this is why; for people. */
  | { readonly type: "failed"; readonly lines: readonly string[] };
