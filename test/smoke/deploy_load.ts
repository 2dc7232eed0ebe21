/** Clients of an application that is being deployed: whatever goes wrong for one of them is counted, with a word why. */

import { createHash } from "node:crypto";
import { WebSocket } from "ws";
import { askOnce, RawClient } from "../support/raw_client.ts";

const HOST = "Host: deploy.test\r\n";
const BODY = "x".repeat(2000);
const BODY_HASH = createHash("sha256").update(BODY).digest("hex");
const POST = `POST /form HTTP/1.1\r\n${HOST}Content-Length: ${BODY.length}\r\n`;
/** How often a WebSocket says something, and how long the echo may take. */
const ECHO_EVERY_MS = 250;
const ECHO_PATIENCE_MS = 10_000;
/** "Going away" (RFC 6455 §7.4.1): a client that is told so comes back. */
const GOING_AWAY = 1001;

export class DeployLoad {
  /** Requests and echoes that came as they should. */
  answered = 0;
  echoes = 0;
  /** WebSockets that were told to go, which is announced behaviour, and came back. */
  told = 0;
  readonly failures: string[] = [];
  /** Versions of the application that have answered. */
  readonly versions = new Set<string>();
  readonly #port: number;
  #going = true;
  #clients: Promise<void>[] = [];

  constructor(port: number, webSockets: number) {
    this.#port = port;
    for (let i = 0; i < 3; i++) this.#clients.push(this.#keptAlive());
    this.#clients.push(this.#oneEach(), this.#oneEach(), this.#posts());
    for (let i = 0; i < webSockets; i++) this.#clients.push(this.#webSocket(i));
  }

  /** Ends all clients. */
  async stop(): Promise<void> {
    this.#going = false;
    await Promise.all(this.#clients);
  }

  async #keptAlive(): Promise<void> {
    let client: RawClient | null = null;
    await this.#repeat("GET", async () => {
      client ??= await RawClient.connect(this.#port);
      const answer = await client.ask(`GET / HTTP/1.1\r\n${HOST}\r\n`).catch((error) => {
        client = null;
        throw error;
      });
      if (answer.field("connection") === "close") {
        client.destroy();
        client = null;
      }
      this.#judge(answer.status, answer.text.startsWith("version "), answer.text);
    });
    (client as RawClient | null)?.destroy();
  }

  async #oneEach(): Promise<void> {
    await this.#repeat("GET, one connection each", async () => {
      const answer = await askOnce(this.#port, `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
      this.#judge(answer.status, answer.text.startsWith("version "), answer.text);
    });
  }

  async #posts(): Promise<void> {
    await this.#repeat("POST", async () => {
      const answer = await askOnce(this.#port, `${POST}Connection: close\r\n\r\n${BODY}`);
      this.#judge(answer.status, answer.text === BODY_HASH, "");
    });
  }

  #judge(status: number, right: boolean, version: string): void {
    if (status !== 200 || !right) throw new Error(`status ${status}, ${right ? "right" : "wrong"} body`);
    if (version !== "") this.versions.add(version);
    this.answered++;
  }

  async #repeat(what: string, once: () => Promise<void>): Promise<void> {
    while (this.#going) {
      try {
        await once();
      } catch (error) {
        this.failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      }
      // Two cores serve everybody: the load is steady, not all there could be.
      await pause(2);
    }
  }

  async #webSocket(number: number): Promise<void> {
    await pause(number * 5);
    while (this.#going) {
      const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/echo`);
      const closed = new Promise<string>((resolve) => {
        socket.on("close", (code) => resolve(code === GOING_AWAY ? "told" : `closed with ${code}`));
        socket.on("error", (error) => resolve(error.message));
      });
      const end = await Promise.race([closed, this.#echo(socket)]);
      socket.terminate();
      if (end === "told") this.told++;
      else if (end !== "done") this.failures.push(`WebSocket: ${end}`);
    }
  }

  async #echo(socket: WebSocket): Promise<string> {
    await new Promise<void>((resolve) => socket.on("open", resolve));
    for (let i = 0; this.#going; i++) {
      const back = new Promise<string>((resolve) => {
        const heard = (data: object) => {
          socket.removeListener("message", heard);
          resolve(String(data));
        };
        socket.on("message", heard);
      });
      socket.send(`message ${i}`);
      const heard = await Promise.race([back, pause(ECHO_PATIENCE_MS, "no echo")]);
      if (heard !== `message ${i}`) return heard;
      this.echoes++;
      await pause(ECHO_EVERY_MS);
    }
    return "done";
  }
}

function pause<T = void>(ms: number, value?: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value as T), ms));
}
