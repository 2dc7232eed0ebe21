/** A SOCKS5 proxy as tests need one: connects to ports of this machine, or refuses; goes away and comes back on its port. */

import { connect, createServer, type Server, type Socket } from "node:net";
import { listenOn } from "./listen_on.ts";

/** What it was asked for. */
export interface SocksAsked {
  readonly host: string;
  readonly port: number;
  /** "" without a login. */
  readonly login: string;
}

export class ScriptedSocks {
  port = 0;
  readonly asked: SocksAsked[] = [];
  /** `user:password` that it wants; "" = none. */
  login = "";
  /** The number of its reply (RFC 1928 §6); 0 = it connects. */
  reply = 0;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();

  static async listen(): Promise<ScriptedSocks> {
    const socks = new ScriptedSocks();
    await socks.start();
    return socks;
  }

  async start(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => void this.#serve(socket));
    this.port = await listenOn(server, this.port);
    this.#server = server;
  }

  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    const closed = server === null ? null : new Promise<void>((done) => server.close(() => done()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #own(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }

  async #serve(socket: Socket): Promise<void> {
    this.#own(socket);
    const read = reader(socket);
    try {
      const [, count = 0] = await read(2);
      const methods = await read(count);
      const wanted = this.login === "" ? 0 : 2;
      socket.write(Uint8Array.of(5, methods.includes(wanted) ? wanted : 0xff));
      let login = "";
      if (wanted === 2) {
        const [, userLength = 0] = await read(2);
        const user = text(await read(userLength));
        const [passwordLength = 0] = await read(1);
        login = `${user}:${text(await read(passwordLength))}`;
        socket.write(Uint8Array.of(1, login === this.login ? 0 : 1));
      }
      const [, , , type = 0] = await read(4);
      const [length = 0] = type === 3 ? await read(1) : [type === 1 ? 4 : 16];
      const address = await read(length);
      const [high = 0, low = 0] = await read(2);
      const port = high * 256 + low;
      this.asked.push({ host: type === 3 ? text(address) : [...address].join("."), port, login });
      if (this.reply !== 0) {
        socket.end(Uint8Array.of(5, this.reply, 0, 1, 0, 0, 0, 0, 0, 0));
        return;
      }
      const there = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
      this.#own(there);
      there.once("connect", () => {
        socket.write(Uint8Array.of(5, 0, 0, 3, 2, 97, 98, 1, 2));
        socket.pipe(there);
        there.pipe(socket);
      });
      there.once("error", () => socket.end(Uint8Array.of(5, 5, 0, 1, 0, 0, 0, 0, 0, 0)));
      socket.once("close", () => there.destroy());
    } catch {
      socket.destroy();
    }
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Takes so many bytes from a socket. */
function reader(socket: Socket): (count: number) => Promise<Uint8Array> {
  return async (count) => {
    if (count === 0) return new Uint8Array();
    for (;;) {
      const bytes = socket.read(count) as Uint8Array | null;
      if (bytes !== null) return new Uint8Array(bytes);
      if (socket.destroyed || socket.readableEnded) throw new Error("ended early");
      await new Promise<void>((again) => {
        const go = () => {
          socket.off("readable", go);
          socket.off("end", go);
          socket.off("close", go);
          // Where there are fewer bytes, it is told at once each time that they are there: the others must get a turn to come.
          setImmediate(again);
        };
        socket.on("readable", go);
        socket.on("end", go);
        socket.on("close", go);
      });
    }
  };
}
