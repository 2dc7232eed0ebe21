/** A scripted name server on UDP and TCP of one loopback port. */

import * as dgram from "node:dgram";
import * as net from "node:net";
import { answerTo, framed, readQuestion, type WireAnswer, type WireQuestion } from "./dns_wire.ts";

export class NameServer {
  /** "name type", with " tcp" behind it, in order. */
  readonly asked: string[] = [];
  /** Null = no answer. */
  script: (question: WireQuestion, tcp: boolean) => WireAnswer | null = () => ({ rcode: 3 });
  readonly port: number;
  readonly #udp: dgram.Socket;
  readonly #tcp: net.Server;

  private constructor(udp: dgram.Socket, tcp: net.Server, port: number) {
    this.#udp = udp;
    this.#tcp = tcp;
    this.port = port;
    udp.on("message", (bytes, from) => {
      const answer = this.#answer(bytes, false);
      if (answer !== null) udp.send(answer, from.port, from.address);
    });
    tcp.on("connection", (socket) => {
      socket.on("error", () => {});
      socket.on("data", (bytes) => {
        // A question fits into one packet.
        const answer = this.#answer(Uint8Array.from(bytes as Uint8Array).subarray(2), true);
        if (answer !== null) socket.write(framed(answer));
      });
    });
  }

  static async open(): Promise<NameServer> {
    const tcp = net.createServer();
    await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
    // The cast: it listens on TCP.
    const { port } = tcp.address() as net.AddressInfo;
    const udp = dgram.createSocket("udp4");
    await new Promise<void>((resolve, reject) => {
      udp.once("error", reject);
      udp.bind(port, "127.0.0.1", resolve);
    });
    return new NameServer(udp, tcp, port);
  }

  /** A resolv.conf that names it. */
  get conf(): string {
    return `nameserver [127.0.0.1]:${this.port}\noptions timeout:1\n`;
  }

  #answer(bytes: Uint8Array, tcp: boolean): Uint8Array | null {
    const question = readQuestion(bytes);
    this.asked.push(`${question.name} ${question.type}${tcp ? " tcp" : ""}`);
    const answer = this.script(question, tcp);
    return answer === null ? null : answerTo(question, answer);
  }

  async close(): Promise<void> {
    this.#tcp.close();
    await new Promise<void>((resolve) => this.#udp.close(() => resolve()));
  }
}
