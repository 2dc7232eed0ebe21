/** The options of the forward proxy in the shape of `Config`. */

import { buildUpstream } from "./build.ts";
import type { ForwardConfig, ThroughConfig } from "./values/config.ts";
import type { OptionValues } from "./options/options.ts";

/** `forward.max_tunnels: auto`, of `max_connections`: tunnels often stay for hours, and requests need some room. */
const TUNNEL_SHARE = 3 / 4;

/** Name of the destinations of a forward proxy in logs and counters. */
const DIRECT = "forward";

export function buildForward(values: OptionValues): ForwardConfig | null {
  if (values["forward.listen"] === null) return null;
  return {
    allow: values["forward.allow"],
    deny: values["forward.deny"],
    ports: values["forward.ports"],
    clients: values["forward.clients"],
    usersFile: values["forward.users"],
    tokensFile: values["forward.tokens"],
    maxTunnels: values["forward.max_tunnels"] ??
      Math.max(1, Math.floor(values.max_connections * TUNNEL_SHARE)),
    // A destination that is misspelt must not keep its client waiting, and no command of ours is one.
    direct: buildUpstream(DIRECT, [], { ...values, hold: 0, command: null }),
  };
}

/** @param through nothing but the proxy is asked for, so a command is no backend */
export function buildThrough(values: OptionValues, through: boolean): ThroughConfig | null {
  if (!through || values.command === null) return null;
  return { command: values.command, folder: values["child.folder"] };
}
