/** A peer for datagrams, over node:dgram. */
import * as dgram from "node:dgram";

export class DatagramPeer {
  readonly heard: string[] = [];
  /** Port of whoever has sent last. */
  from = 0;
  readonly port: number;
  readonly #socket: dgram.Socket;

  private constructor(socket: dgram.Socket) {
    this.#socket = socket;
    this.port = socket.address().port;
    socket.on("message", (bytes, { port }) => {
      this.from = port;
      this.heard.push(new TextDecoder().decode(bytes));
    });
  }

  static async open(): Promise<DatagramPeer> {
    const socket = dgram.createSocket("udp4");
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(0, "127.0.0.1", resolve);
    });
    return new DatagramPeer(socket);
  }

  send(text: string, port: number): Promise<void> {
    return new Promise((resolve) => this.#socket.send(text, port, "127.0.0.1", () => resolve()));
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}
