/** The Sluice whose place this process takes, as long as that takes. */

import type { HandoverState } from "../../control/handover_state.ts";
import { LINEAGE_PROTOCOL, type ToElder, type ToHeir } from "../../process/supervisor/lineage_messages.ts";
import type { NamedUpstream } from "../../process/supervisor/lineage_names.ts";
import type { LimitedEndpoint } from "../../process/worker/limits.ts";
import {
  type Address,
  type MessageChannel,
  type System,
  SystemError,
} from "../../../runtime/contract/contract.ts";
import type { GivenSocket } from "../../process/shared/sockets.ts";
import { inOurWords, inWordsOf } from "./former_messages.ts";
import {
  SUCCESSION_PROTOCOL,
  type ToPredecessor,
  type ToSuccessor,
  VOCABULARY,
  type Yours,
} from "./succession.ts";
import { versionText } from "../version.ts";

export class Predecessor {
  /** Sockets that it gave us. */
  readonly sockets: readonly GivenSocket[];
  /** What it listens on. */
  readonly listening: readonly Address[];
  /** What we go on with. */
  readonly handover: HandoverState;
  /** 0 when it has not told. */
  readonly pid: number;
  /** It drains as we say, and this is what it has; null when it drains alone. */
  readonly limits: readonly LimitedEndpoint[] | null;
  /** What it calls its upstreams; null when it has not told. */
  readonly upstreams: readonly NamedUpstream[] | null;
  /** Keeps what goes to standard error, so that the predecessor can say why we failed. */
  readonly system: System;
  readonly #link: Link;
  readonly #said: string[];

  /**
   * Says who we are to the process that started us to take its place. Null when we were not started so.
   * A predecessor that is gone before we own what it had ends us: no supervisor would know of us.
   */
  static async meet(system: System): Promise<Predecessor | null> {
    const link = new Link(system);
    if (!link.connected) return null;
    link.send({
      type: "hello",
      protocol: SUCCESSION_PROTOCOL,
      version: versionText(),
      pid: system.pid,
      vocabulary: VOCABULARY,
      lineage: LINEAGE_PROTOCOL,
    });
    return new Predecessor(system, link, await link.taken);
  }

  private constructor(system: System, link: Link, taken: Taken) {
    const { sockets, listening, handover, pid = 0, lineage, limits = [], upstreams = null } = taken;
    const said: string[] = [];
    this.pid = pid;
    this.upstreams = upstreams;
    this.limits = lineage === LINEAGE_PROTOCOL ? limits : null;
    this.#link = link;
    this.#said = said;
    this.sockets = sockets;
    this.listening = listening;
    this.handover = handover;
    this.system = {
      ...system,
      writeDescriptor(fd, text, impatient) {
        if (fd === 2) said.push(text);
        system.writeDescriptor(fd, text, impatient);
      },
      readStdin() {
        const why =
          "standard input was read by the process that is to be replaced: name a file, or restart Sluice";
        return Promise.reject(new SystemError("EBADF", why));
      },
    };
  }

  /** We serve. Resolves when everything else is ours as well, with what we go on with by then. */
  ready(): Promise<Yours> {
    this.#link.send({ type: "ready" });
    return this.#link.yours;
  }

  /** We have what was its. From now on its end is none of our business. */
  mine(): void {
    this.#link.settled = true;
    this.#link.send({ type: "mine" });
  }

  /** Tells it what it is to do while it drains. */
  lead(message: ToElder): void {
    this.#link.send({ type: "heir", message });
  }

  /** Told what it says while it drains. */
  set onElder(told: (message: ToHeir) => void) {
    this.#link.onElder = told;
  }

  /** Resolves when the predecessor's process has ended. */
  get gone(): Promise<void> {
    return this.#link.gone;
  }

  /** Told upstreams to which nothing of the predecessor's is on its way any more. */
  set onQuiet(told: (upstreams: readonly string[]) => void) {
    this.#link.onQuiet = told;
  }

  /** We end before we own anything: tells why. */
  async failed(): Promise<void> {
    if (this.#link.settled) return;
    const lines = this.#said.join("").split("\n").filter((line) => line !== "");
    this.#link.settled = true;
    this.#link.send({ type: "failed", lines });
    await this.#link.flush();
  }
}

type Taken = Extract<ToSuccessor, { type: "take" }>;

class Link {
  /** The predecessor does not decide about us any more. */
  settled = false;
  onQuiet: (upstreams: readonly string[]) => void = () => {};
  onElder: (message: ToHeir) => void = () => {};
  /** What the predecessor has told; undefined = it does not know of any. */
  #vocabulary: number | undefined;
  readonly #channel: MessageChannel | null;
  readonly #taken = Promise.withResolvers<Taken>();
  readonly #yours = Promise.withResolvers<Yours>();
  readonly #gone = Promise.withResolvers<void>();

  constructor(system: System) {
    this.#channel = system.connectPredecessor({
      message: (message) => {
        // The cast: both are Sluice, and `hello` has said which protocol we speak.
        const heard = inOurWords(message as Readonly<Record<string, unknown>>) as ToSuccessor;
        if (heard.type === "take") {
          this.#vocabulary = heard.vocabulary;
          this.#taken.resolve(heard);
        } else if (heard.type === "yours") this.#yours.resolve(heard);
        else if (heard.type === "elder") this.onElder(heard.message);
        else if (heard.type === "quiet") this.onQuiet(heard.upstreams);
      },
      closed: () => {
        if (!this.settled) system.exit(1);
        this.#gone.resolve();
      },
    });
  }

  get connected(): boolean {
    return this.#channel !== null;
  }

  get taken(): Promise<Taken> {
    return this.#taken.promise;
  }

  get yours(): Promise<Yours> {
    return this.#yours.promise;
  }

  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  send(message: ToPredecessor): void {
    this.#channel?.send(inWordsOf(this.#vocabulary, message));
  }

  async flush(): Promise<void> {
    await this.#channel?.flush();
  }
}
