/** How a control socket is reached: by its path, or by what the file at its path says. */

import type { Address, Runtime, System } from "../../runtime/contract/contract.ts";
import { type CallRequest, HttpCall } from "../client/http_call.ts";

export interface ControlAddress {
  readonly path: string;
  readonly address: Address;
  /** Fields that every request needs. */
  readonly headers: Readonly<Record<string, string>>;
}

/** First word of the file that stands in for a socket where there are none. */
const MARK = "sluice-control";
const FILE = new RegExp(`^${MARK} 127\\.0\\.0\\.1:([1-9]\\d{0,4}) ([0-9a-f]{64})\\n$`);

/** Text of the file that says where a Sluice without Unix sockets is asked, and with which secret. */
export function controlFile(port: number, secret: string): string {
  return `${MARK} 127.0.0.1:${port} ${secret}\n`;
}

/** Value of the Authorization field for a secret. */
export function authorization(secret: string): string {
  return `Bearer ${secret}`;
}

/**
 * What is at `path`: a control socket (whether anybody listens there is another question), nothing, or
 * something else. @throws SystemError
 */
export async function readControlAddress(
  system: System,
  path: string,
): Promise<ControlAddress | "nothing" | "foreign"> {
  const status = await system.statusOf(path);
  if (status === null) return "nothing";
  if (status.kind === "socket") return { path, address: { kind: "unix", path }, headers: {} };
  if (status.kind !== "file") return "foreign";
  const match = FILE.exec(await system.readText(path));
  if (match === null) return "foreign";
  return {
    path,
    address: { kind: "tcp", host: "127.0.0.1", port: Number(match[1]) },
    headers: { Authorization: authorization(match[2] ?? "") },
  };
}

/** Sends a request to the Sluice behind a control socket. */
export function callControl(runtime: Runtime, control: ControlAddress, request: CallRequest): HttpCall {
  return HttpCall.begin(runtime, control.address, {
    ...request,
    headers: { ...request.headers, ...control.headers },
  });
}
