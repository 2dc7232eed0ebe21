/** How a wait for a connection fails. */

import type { SocketErrorCode } from "../../runtime/contract/contract.ts";

/** Why a wait ended without a connection. */
export type WaitFailure = "hold_timeout" | "queue_timeout" | "queue_full" | "shutting_down" | SocketErrorCode;
