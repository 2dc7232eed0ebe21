/** What a command has asked the proxy for, as a table. */

import type { DestinationTotal } from "../../observe/destination_totals.ts";
import { alignedRows, roughDuration, roughSize } from "../verbs/text_table.ts";

const HEAD = ["destination", "requests", "tunnels", "sent", "received", "time", "outcome"];
const NUMBERS = new Set([1, 2, 3, 4, 5]);

/** Lines, each with its end. */
export function summary(totals: readonly DestinationTotal[]): string {
  const denied = totals.filter((total) => total.denied > 0).length;
  const count = totals.length === 1 ? "1 destination" : `${totals.length} destinations`;
  const first = `sluice: ${totals.length === 0 ? "no destination" : count} asked for` +
    `${denied === 0 ? "" : `, ${denied} of them denied`}\n`;
  if (totals.length === 0) return first;
  const rows = totals.map((total) => [
    total.name,
    String(total.requests),
    String(total.tunnels),
    roughSize(total.bytesIn),
    roughSize(total.bytesOut),
    roughDuration(total.totalMs),
    outcome(total),
  ]);
  return first + alignedRows([HEAD, ...rows], NUMBERS).map((line) => `  ${line}\n`).join("");
}

function outcome(total: DestinationTotal): string {
  const { denied, failed, requests, tunnels } = total;
  const passed = requests + tunnels - denied - failed;
  const parts = [
    ...(passed > 0 ? ["allowed"] : []),
    ...(failed > 0 ? [`${counted(failed, passed + denied)}failed (${printable(total.whyFailed)})`] : []),
    ...(denied > 0 ? [`${counted(denied, passed + failed)}denied (${printable(total.whyDenied)})`] : []),
  ];
  return parts.join(", ");
}

/** The number is worth telling where others ended otherwise. */
function counted(count: number, others: number): string {
  return others === 0 ? "" : `${count} `;
}

/** Words may hold text of a peer. */
function printable(text: string): string {
  return text.slice(0, 120).replace(/[^\x20-\x7e]/g, "?");
}
