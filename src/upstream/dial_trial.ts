/**
 * New connections to an endpoint that has lost one a moment ago, without an answer to what was sent on it, for requests that may
 * not be sent again.
 *
 * A process that ends closes its connections before its listening socket, or in any order: until that has gone too, new
 * connections queue there, and are reset. A request that is sent on one of them is lost to an end that could have been known of;
 * what may be repeated is repeated (exchange/losses.ts), a POST is lost for good. So such a connection stands open for
 * a moment before its dial counts as a success. At an endpoint that lives this costs that moment, unless it has answered
 * meanwhile what was sent after the loss.
 */

import type { Clock, SocketError } from "../../runtime/contract/contract.ts";
import type { UpstreamPeer, UpstreamPeerOwner } from "../http/upstream_stream.ts";
import { Alarm } from "../time/alarm.ts";
import type { Turn } from "../time/turn.ts";
import type { Endpoint } from "./endpoint.ts";

/** A loss is known for so long; longer than most processes take to end. Milliseconds. */
const RECENT_MS = 50;
/** For so long a connection stands open. Milliseconds. */
const TRIAL_MS = 25;
/** An endpoint that loses one connection after the other lengthens a trial by so much at most. Milliseconds. */
const MOST_MS = 500;
const LOOK_MS = 5;

/** How a dial fails whose connection has not lasted. */
export const DROPPED: SocketError = {
  code: "connection_terminated",
  detail: "a new connection ended before anything was sent on it",
};

/** A dial, and how it ends: one of the two, in a turn that it ends. */
interface Trial {
  readonly endpoint: Endpoint;
  readonly opened: () => void;
  readonly failed: (error: SocketError) => void;
}

export class DialTrial implements UpstreamPeerOwner {
  readonly #turn: Turn;
  readonly #trials = new Map<UpstreamPeer, Trial>();
  readonly #alarm: Alarm;
  readonly #mayWait: (endpoint: Endpoint) => boolean;

  /** @param mayWait whether the connection is for a request that may not be sent again, or for nobody yet */
  constructor(clock: Clock, turn: Turn, mayWait: (endpoint: Endpoint) => boolean) {
    this.#turn = turn;
    this.#mayWait = mayWait;
    this.#alarm = new Alarm(clock, LOOK_MS, () => this.#look());
  }

  /**
   * The end of a dial that has led to `connection`: one of the two calls, at once or after the trial.
   *
   * @param opened takes ownership of the connection
   */
  judge(connection: UpstreamPeer, trial: Trial): void {
    if (!isDoubtful(connection, trial.endpoint) || !this.#mayWait(trial.endpoint)) {
      trial.opened();
      return;
    }
    connection.owner = this;
    this.#trials.set(connection, trial);
    this.#alarm.set();
  }

  #look(): void {
    for (const [connection, trial] of this.#trials) {
      this.#turn.begin();
      if (isOver(connection, trial.endpoint, this.#turn.now)) {
        this.#end(connection, trial);
        trial.opened();
      } else this.#turn.end();
    }
    if (this.#trials.size > 0) this.#alarm.set();
  }

  #end(connection: UpstreamPeer, { endpoint }: Trial): void {
    this.#trials.delete(connection);
    connection.owner = endpoint;
  }

  /** Drops all of them. */
  stop(): void {
    this.#alarm.cancel();
    for (const [connection, trial] of this.#trials) {
      this.#end(connection, trial);
      connection.drop();
      trial.failed(DROPPED);
    }
  }

  // UpstreamPeerOwner

  /** It was dropped, or has said something without being asked. */
  idleLost(connection: UpstreamPeer): void {
    const trial = this.#trials.get(connection);
    if (trial === undefined) return;
    this.#end(connection, trial);
    trial.failed(DROPPED);
  }
}

/** It was dialled shortly after a loss, before anything has shown that the endpoint lives, or that the one that was lost is gone. */
function isDoubtful({ openedAt, connectMs }: UpstreamPeer, { life, enabled }: Endpoint): boolean {
  const { lostAt } = life;
  return lostAt >= 0 && enabled && openedAt - lostAt < RECENT_MS && life.provedAt <= lostAt &&
    !(life.refusedAt >= lostAt && openedAt - connectMs >= life.refusedAt);
}

function isOver({ openedAt }: UpstreamPeer, { life, enabled }: Endpoint, now: number): boolean {
  const since = Math.max(openedAt, Math.min(life.lostAt, openedAt + MOST_MS - TRIAL_MS));
  return !enabled || now - since >= TRIAL_MS || life.provedAt > since;
}
