/** Opens connections of clients. */

import type { OpenDownstream } from "../http/downstream_stream.ts";
import { DownstreamConnection } from "./downstream_connection.ts";
import type { DownstreamSettings } from "./downstream_settings.ts";
import type { IoTurn } from "./io_turn.ts";

/** @param settings of all connections that it opens */
export function downstreamOpener(turn: IoTurn, settings: DownstreamSettings): OpenDownstream {
  return (socket, handler) => new DownstreamConnection(turn, socket, settings, handler);
}
