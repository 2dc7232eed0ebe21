/** A resolver on the in-memory network, with files and a scripted name server, and a clock that the test moves. */

import type { Runtime, Socket, SocketError, SocketEvents } from "../../runtime/contract/contract.ts";
import { namedRuntime } from "../../src/resolve/named_runtime.ts";
import { answerTo, framed, readQuestion, type WireAnswer, type WireQuestion } from "./dns_wire.ts";
import { createMemoryRuntime, type MemoryRuntime } from "./memory_runtime.ts";
import { MemorySystem } from "./memory_system.ts";

export const FILES = { hosts: "/hosts", servers: "/resolv.conf", order: "/nsswitch.conf" };

/** What the server does about a question: an answer, bytes, several of these, or nothing. */
export type Script = (
  question: WireQuestion,
  tcp: boolean,
) => WireAnswer | Uint8Array | readonly Uint8Array[] | null;

export class NameLab {
  readonly platform: MemoryRuntime = createMemoryRuntime();
  readonly system: MemorySystem;
  readonly runtime: Runtime;
  /** "name type" of each question, with " tcp" behind it, in order. */
  readonly asked: string[] = [];
  script: Script = () => ({ rcode: 3 });

  constructor(files: Readonly<Record<string, string>> = {}) {
    const all = { [FILES.servers]: "nameserver 192.0.2.53\n", ...files };
    this.system = new MemorySystem({ nameFiles: FILES, files: all });
    this.runtime = namedRuntime(this.platform, this.system);
    this.serve("192.0.2.53");
  }

  get now(): number {
    return this.platform.clock.now();
  }

  /** A server at this address that does what `script` says. */
  serve(host: string, script: Script = (question, tcp) => this.script(question, tcp)): void {
    this.platform.network.datagramPeers.set(`${host} 53`, (bytes, reply) => {
      for (const message of this.#answers(bytes, false, script)) reply(message);
    });
  }

  /** The same over TCP. @param send how an answer goes out, its length in front */
  async serveTcp(
    host = "192.0.2.53",
    send = (socket: Socket, message: Uint8Array): unknown => socket.write(message, 0, message.length),
  ): Promise<void> {
    await this.platform.listen({
      address: { kind: "tcp", host, port: 53 },
      backlog: 10,
      reusePort: false,
      tls: null,
      handshakeTimeoutMs: 1000,
    }, {
      accepted: (socket): SocketEvents => ({
        data: (bytes) => {
          const script: Script = (question, tcp) => this.script(question, tcp);
          for (const message of this.#answers(bytes.slice(2), true, script)) {
            send(socket, framed(message));
          }
        },
        drained() {},
        ended: () => socket.close(),
        closed() {},
      }),
      acceptFailed() {},
    });
  }

  #answers(bytes: Uint8Array, tcp: boolean, script: Script): readonly Uint8Array[] {
    const question = readQuestion(bytes);
    this.asked.push(`${question.name} ${question.type}${tcp ? " tcp" : ""}`);
    const answer = script(question, tcp);
    if (answer === null) return [];
    if (answer instanceof Uint8Array) return [answer];
    return Array.isArray(answer) ? answer : [answerTo(question, answer as WireAnswer)];
  }

  /** What a name resolves to, or the code of the failure; the clock goes on until it is known. */
  async resolve(name: string): Promise<string> {
    let outcome: string | null = null;
    this.runtime.resolve(name).then(
      (addresses) => outcome = addresses.join(" "),
      (error: SocketError) => outcome = error.code,
    );
    for (let i = 0; i < 200; i++) {
      await this.settle();
      if (outcome !== null) return outcome;
      const next = this.#nextTimer();
      if (next === null) break;
      this.platform.network.advance(next);
    }
    throw new Error(`${name} is never resolved`);
  }

  #nextTimer(): number | null {
    const clock = this.platform.clock as unknown as { readonly nextTimerAt: number | null };
    return clock.nextTimerAt === null ? null : Math.max(0, clock.nextTimerAt - this.now);
  }

  /** Lets promises and the network come to rest. */
  settle(): Promise<void> {
    return this.platform.network.settle();
  }

  async advance(ms: number): Promise<void> {
    this.platform.network.advance(ms);
    await this.settle();
  }
}

/** Answers with these addresses by family, and that there are none of the other. */
export function addresses(four: readonly string[], six: readonly string[] = [], ttl = 60): Script {
  return ({ name, type }) => ({
    answers: (type === "A" ? four : type === "AAAA" ? six : [])
      .map((data) => ({ name, type: type as "A" | "AAAA", ttl, data })),
  });
}
