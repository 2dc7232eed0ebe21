/** Options about the admin listener. */

import { adminListener } from "../values/address.ts";
import type { OptionTable } from "./option.ts";
import { boolean, path } from "../values/value_type.ts";

export const ADMIN_OPTIONS = {
  "admin": {
    group: "Admin listener",
    scope: "process",
    type: adminListener(),
    default: null,
    help: "where to serve the status page and /metrics",
    doc:
      "Serves the status page at `/`, its numbers at `/status.json`, Prometheus metrics at `/metrics`, and `/-/ready` " +
      "and `/-/healthy` for orchestrators. Off unless given. A port alone means this machine only; who can connect " +
      "can see everything but request contents, so an address that others can reach brings a warning.",
    example: '"9180"',
  },
  "admin_actions": {
    group: "Admin listener",
    scope: "process",
    type: boolean(),
    default: "false",
    help: "let the status page pause, resume and drain",
    doc:
      "Shows buttons on the status page. What they ask for is done only with the token of `admin_token_file`.",
    example: "true",
  },
  "admin_token_file": {
    group: "Admin listener",
    scope: "process",
    type: path(),
    default: null,
    help: "file with the token that actions need",
    doc:
      "The first line of the file, 16 characters or more, is what has to be typed on the status page, or sent as " +
      "`Authorization: Bearer TOKEN`. The file is read at the start.",
    example: "/etc/sluice/admin_token",
  },
} as const satisfies OptionTable;
