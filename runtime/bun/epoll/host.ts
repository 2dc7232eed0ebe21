/** What the parts of the epoll adapter share. */
import type { Timer } from "../../contract/contract.ts";
import { SocketFailure } from "../../contract/contract.ts";
import { errnoError } from "./numbers.ts";
import type { EpollLoop } from "./loop.ts";
import { socketErrorOf } from "../../shared/socket_error.ts";

export interface EpollHost {
  readonly loop: EpollLoop;
  readonly onHandlerError: (error: unknown) => void;
  setTimer(ms: number, fire: () => void, background: boolean): Timer;
}

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65_535;
}

/** A system call that failed while listening or dialling. */
export function failure(errno: number, stage: "bind" | "dial"): SocketFailure {
  const { code, detail } = socketErrorOf(errnoError(errno), stage);
  return new SocketFailure(code, detail);
}
