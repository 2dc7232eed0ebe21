/** Requests that wait, run and are counted while one Sluice takes the place of another. */

import { test } from "node:test";
import { hasEpoll } from "./epoll.ts";
import { until } from "./processes.ts";
import { RawClient } from "./raw_client.ts";
import type { ScriptedOrigin } from "./scripted_origin.ts";
import { able, type Scene, scene, type SceneOptions } from "./succession_scene.ts";
import { within } from "./watchdog.ts";

export function post(target: string): string {
  return `POST ${target} HTTP/1.1\r\nHost: succession.test\r\nContent-Length: 4\r\n\r\nbody`;
}

/** A backend that answers `/stream…` and `/long…` when it is told to, and counts what it serves at a time. */
export class Backend {
  most = 0;
  now = 0;
  readonly asked: string[] = [];
  readonly #ends = new Map<string, () => void>();

  constructor(origin: ScriptedOrigin, name = "") {
    origin.auto(async ({ target }) => {
      this.most = Math.max(this.most, ++this.now);
      this.asked.push(target);
      if (target.startsWith("/long")) await new Promise<void>((end) => this.#ends.set(target, end));
      else await new Promise((done) => setTimeout(done, 5));
      this.now--;
      return name + target;
    });
  }

  async reached(target: string): Promise<void> {
    await until(`${target} at the backend`, () => this.asked.includes(target));
  }

  end(target: string): void {
    this.#ends.get(target)?.();
  }
}

interface Variant {
  readonly name: string;
  readonly args: readonly string[];
  readonly skip: string | boolean;
}

const VARIANTS: readonly Variant[] = ["1", "2"].flatMap((workers) =>
  (hasEpoll ? ["native", "epoll"] : ["native"]).map((sockets): Variant => ({
    name: `${workers} workers, ${sockets} sockets`,
    args: ["--workers", workers, "--sockets", sockets],
    skip: workers === "2" && process.platform !== "linux" ? "workers need Linux" : able.skip,
  }))
);

export function variants(
  name: string,
  args: readonly string[],
  act: (scene: Scene) => Promise<void>,
  options: SceneOptions = {},
): void {
  for (const variant of VARIANTS) {
    test(
      `succession: ${name} (${variant.name})`,
      { skip: variant.skip },
      () => scene([...variant.args, ...args], act, options),
    );
  }
}

/** A request on a connection of its own. */
export async function begin(
  port: number,
  request: string,
): Promise<{ readonly answer: Promise<{ status: number; text: string }> }> {
  const client = await RawClient.connect(port);
  const answer = client.ask(request).finally(() => client.destroy());
  answer.catch(() => {});
  return { answer };
}

export async function untilStatus(
  control: Scene["control"],
  what: string,
  // deno-lint-ignore no-explicit-any -- JSON
  holds: (status: any) => boolean,
): Promise<void> {
  let over = false;
  const looking = (async () => {
    while (!over && !holds((await control("/status")).told)) {
      await new Promise((done) => setTimeout(done, 10));
    }
  })();
  try {
    await within(looking, what);
  } finally {
    over = true;
  }
}
