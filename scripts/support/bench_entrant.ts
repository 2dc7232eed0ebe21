/** A contender that has been started for a role, and how long it lives. */

import { join } from "node:path";
import { until200 } from "./bench_answer.ts";
import { certificateIn } from "./bench_certificate.ts";
import type { Contender, Part, Role } from "./bench_contender.ts";
import type { Origins } from "./bench_origin.ts";
import type { Running, Workspace } from "./bench_workspace.ts";

/** What of a scenario its start depends on. */
export interface EntrantOptions {
  readonly away: boolean;
  readonly log: boolean;
  readonly tls: boolean;
  readonly part: Part;
  /** Of one that is measured from exec on nobody waits for the first answer. */
  readonly process: "warm" | "fresh" | "exec";
}

/** A contender in a role, running. */
export class Entrant {
  readonly contender: Contender;
  readonly role: Role;
  readonly #space: Workspace;
  #running: Running | null = null;
  /** `performance.now` just before it was started. */
  startedAt = 0;

  private constructor(space: Workspace, contender: Contender, role: Role) {
    this.#space = space;
    this.contender = contender;
    this.role = role;
  }

  /** Starts it and waits for its first answer. Null when it cannot play the role. */
  static async start(
    space: Workspace,
    contender: Contender,
    origins: Origins,
    options: EntrantOptions,
  ): Promise<Entrant | null> {
    const { away, part, process, tls } = options;
    const direct = contender.kind === "direct";
    const port = direct ? origins.plain : await space.freePort();
    const log = options.log ? join(space.folder, `${contender.name}-${port}.access`) : null;
    const origin = `127.0.0.1:${away ? origins.away : origins.plain}`;
    const { folder } = space;
    const certificate = tls ? certificateIn(folder) : null;
    const entrant = new Entrant(space, contender, { port, origin, folder, away, log, certificate });
    if (direct) return entrant;
    const launch = contender.launch(entrant.role);
    if (launch === null) return null;
    entrant.startedAt = performance.now();
    entrant.#running = space.launch(`${contender.name}-${port}`, launch, "proxy");
    try {
      const path = part === "forward" ? `http://${origin}/small` : away ? "/" : "/small";
      if (process !== "exec") await until200(port, path, entrant.#running, entrant.certificate);
    } catch (error) {
      await entrant.stop();
      throw error;
    }
    return entrant;
  }

  get port(): number {
    return this.role.port;
  }

  /** PEM of what it shows to clients, null without TLS. */
  get certificate(): string | null {
    return this.role.certificate?.pem ?? null;
  }

  /** Null where there is no proxy. */
  get pid(): number | null {
    return this.#running?.pid ?? null;
  }

  get alive(): boolean {
    return this.#running === null ? this.contender.kind === "direct" : this.#running.alive;
  }

  async stop(): Promise<void> {
    if (this.#running !== null) await this.#space.end(this.#running.child);
  }
}
