/** What two Sluices do for each other when one takes the place of the other: each side's part of it. */

import type { Clock } from "../../../runtime/contract/contract.ts";
import { type HandoverState, NOTHING_HANDED, stateUnder } from "../../control/handover_state.ts";
import type { SluicePlane } from "../../control/control_plane.ts";
import { LineageNames, type NamedUpstream } from "../../process/supervisor/lineage_names.ts";
import type { Supervisor } from "../../process/supervisor/supervisor.ts";
import { sleep } from "../../control/conditions.ts";
import type { Gate } from "../../control/gated_plane.ts";
import { HeldLimits, tellQuiet } from "./handed_limits.ts";
import type { Predecessor } from "./predecessor.ts";
import type { Yours } from "./succession.ts";
import type { Successor } from "./successor.ts";

/** For the last figures that the Sluice in our place gets of us. */
const LAST_REPORT_MS = 500;

/** For the new one: goes on with what the old one leaves. */
export class Takeover {
  readonly #predecessor: Predecessor;
  readonly #supervisor: Supervisor;
  readonly #plane: SluicePlane;
  readonly #gate: Gate;
  readonly #limits: HeldLimits;
  /** What the old one calls what it has. */
  readonly #upstreams: readonly NamedUpstream[];
  readonly #names: LineageNames;

  /** Before the supervisor starts. Verbs wait until the place is ours. */
  static async begin(
    predecessor: Predecessor,
    supervisor: Supervisor,
    plane: SluicePlane,
    gate: Gate,
  ): Promise<Takeover> {
    gate.shut();
    const takeover = new Takeover(predecessor, supervisor, plane, gate);
    await plane.restore(takeover.#ours(predecessor.handover ?? NOTHING_HANDED));
    return takeover;
  }

  private constructor(predecessor: Predecessor, supervisor: Supervisor, plane: SluicePlane, gate: Gate) {
    this.#predecessor = predecessor;
    this.#supervisor = supervisor;
    this.#plane = plane;
    this.#gate = gate;
    // One that has not told has the names that we have, as far as we know.
    this.#upstreams = predecessor.upstreams ?? supervisor.config.upstreams;
    this.#names = new LineageNames(this.#upstreams, supervisor.config.upstreams);
    // While it is not certain that the place becomes ours, no slot is.
    this.#limits = new HeldLimits(supervisor.config, plane.pauses);
    const { limits } = predecessor;
    if (limits !== null) {
      supervisor.lineage.expect(limits, this.#names);
    } else {
      predecessor.onQuiet = (upstreams) => this.#limits.release(upstreams);
      void predecessor.gone.then(() => this.#limits.release(null));
    }
  }

  /** All is ours but for the names. Resolves when what was asked of the old one meanwhile is so here. */
  async take({ handover, reopen = false }: Yours): Promise<void> {
    await this.#plane.takeOver(this.#ours(handover));
    if (reopen) await this.#plane.reopenLogs();
  }

  #ours(handover: HandoverState): HandoverState {
    return stateUnder(handover, this.#upstreams, this.#supervisor.config.upstreams, this.#names);
  }

  /**
   * All is ours. The old one drains, as we say if it knows how. Resolves when verbs mean both: one that lets requests go
   * must not be ahead of where they are to go.
   */
  async settle(): Promise<void> {
    const { lineage } = this.#supervisor;
    const predecessor = this.#predecessor;
    predecessor.mine();
    if (predecessor.limits !== null) {
      this.#limits.release(null);
      predecessor.onElder = (message) => lineage.elderSaid(message);
      const led = lineage.succeed(predecessor.pid, (message) => predecessor.lead(message));
      this.#supervisor.onLeft = (token) => void this.#plane.resume(null, token);
      void predecessor.gone.then(() => lineage.elderGone());
      await led;
    }
    this.#gate.open();
  }
}

/**
 * For the old one, which drains from now on: does what the new one says, or, where that is of a version that says nothing,
 * tells it when nothing is on its way any more.
 */
export function leaveTo(
  successor: Successor,
  clock: Clock,
  supervisor: Supervisor,
  plane: SluicePlane,
  hurry: () => void,
): void {
  if (!successor.leads) {
    void tellQuiet(clock, supervisor, (upstreams) => successor.quiet(upstreams));
    return;
  }
  const { lineage } = supervisor;
  supervisor.onHurry = hurry;
  plane.pauses.handOver();
  lineage.handOver((message) => successor.tell(message));
  successor.listen((message) => lineage.heirSaid(message));
  void successor.gone.then(() => {
    lineage.heirGone();
    plane.pauses.takeBack();
  });
}

/** The Sluice in our place learns what we have counted to the end. */
export async function lastReport(clock: Clock, supervisor: Supervisor, successor: Successor): Promise<void> {
  const told = supervisor.lineage.lastReport().then(() => successor.flush());
  await Promise.race([told, sleep(clock, LAST_REPORT_MS)]);
}
