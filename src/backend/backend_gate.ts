/** What the commands behind upstreams need of the control plane: requests wait while a command cannot answer them. */

import type { ControlPlane } from "../control/plane.ts";

export type BackendGate = Pick<ControlPlane, "status" | "watch" | "pause" | "resume" | "drain" | "undrain">;
