/**
 * A few exchanges through a proxy whose system calls fail, and what may become of each: answered in full, refused with a
 * status that says so, or cut for all to see. Anything else is thrown: an answer that is wrong or only looks complete, a
 * wait that does not end, a POST that an endpoint has seen twice.
 */
import { latin1Text, MalformedMessage } from "./http_reader.ts";
import { EndedEarly } from "./inbox.ts";
import { type ClientTarget, RawClient } from "./raw_client.ts";
import { ScriptedOrigin } from "./scripted_origin.ts";
import { WatchdogError } from "./watchdog.ts";

export type Outcome = "answered" | "refused" | "cut";

/** Larger than what is sent or received at once, so that calls fail in the middle. */
const BODY_BYTES = 300_000;
const WEBSOCKET_ASKED = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const WEBSOCKET_AGREED = "Connection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
const REFUSALS: ReadonlySet<number> = new Set([502, 503, 504]);

export class FaultScene {
  readonly origin: ScriptedOrigin;
  readonly #body: string;
  /** Requests by target, as far as they have reached the endpoint whole. */
  readonly #seen: Map<string, number>;
  #round = 0;

  /** @param path of a Unix socket for the endpoint to listen on */
  static async open(path?: string): Promise<FaultScene> {
    const body = latin1Text(Uint8Array.from({ length: BODY_BYTES }, (_, at) => 32 + (at ^ at >> 8) % 90));
    const seen = new Map<string, number>();
    const origin = await ScriptedOrigin.listen(path === undefined ? {} : { path });
    origin.auto(async ({ method, target, text }, peer) => {
      seen.set(target, (seen.get(target) ?? 0) + 1);
      if (method === "POST") return { body: text };
      if (target.startsWith("/tunnel")) {
        await peer.send(`HTTP/1.1 101 Switching Protocols\r\n${WEBSOCKET_AGREED}\r\n`);
        await peer.send(await peer.readToEnd());
        await peer.halfClose();
        return null;
      }
      if (target.startsWith("/last")) return { body: target, close: true };
      if (!target.startsWith("/until-the-end")) return target;
      await peer.send(`HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n${body}`).catch(() => {});
      await peer.halfClose();
      return null;
    });
    return new FaultScene(origin, body, seen);
  }

  private constructor(origin: ScriptedOrigin, body: string, seen: Map<string, number>) {
    this.origin = origin;
    this.#body = body;
    this.#seen = seen;
  }

  /** All exchanges at once. @throws for what must not happen */
  async run(to: ClientTarget): Promise<Outcome[]> {
    const round = ++this.#round;
    // Over Unix sockets nobody can be shown that an answer without a length was cut.
    const resets = typeof to === "number" || "port" in to;
    const outcomes = await Promise.all([
      this.#kept(to, round),
      this.#posted(to, round),
      this.#last(to, round),
      this.#tunnel(to, round),
      ...(resets ? [this.#untilTheEnd(to, round)] : []),
    ]);
    return outcomes.flat();
  }

  /** One exchange, when nothing fails any more. @throws unless it is answered */
  async clean(to: ClientTarget): Promise<void> {
    const [outcome] = await exchange(to, async (client) => {
      return [await asked(client, `/clean-${++this.#round}`)];
    });
    if (outcome !== "answered") throw new Error(`when nothing failed any more a request was ${outcome}`);
  }

  async close(): Promise<void> {
    await this.origin.close();
  }

  /** Two, one after the other, on a connection that is kept. */
  #kept(to: ClientTarget, round: number): Promise<Outcome[]> {
    return exchange(to, async (client) => {
      const first = await asked(client, `/first-${round}`);
      return first === "answered" ? [first, await asked(client, `/second-${round}`)] : [first];
    });
  }

  #posted(to: ClientTarget, round: number): Promise<Outcome[]> {
    const target = `/post-${round}`;
    return exchange(to, async (client) => {
      const head = `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`;
      const { status, text } = await client.ask(head + this.#body);
      const times = this.#seen.get(target) ?? 0;
      if (times > 1) throw new Error(`a POST reached the endpoint ${times} times`);
      return [judged(status, text, this.#body)];
    });
  }

  /** The connection ends with the answer, on both sides of the proxy. */
  #last(to: ClientTarget, round: number): Promise<Outcome[]> {
    return exchange(to, async (client) => {
      const target = `/last-${round}`;
      const outcome = await asked(client, target, "Connection: close\r\n");
      await client.readToClose();
      return [outcome];
    });
  }

  /** A tunnel, through which the client ends first; what it said comes back. */
  #tunnel(to: ClientTarget, round: number): Promise<Outcome[]> {
    return exchange(to, async (client) => {
      await client.send(`GET /tunnel-${round} HTTP/1.1\r\nHost: a\r\n${WEBSOCKET_ASKED}\r\n`);
      const head = await client.readUntil("\r\n\r\n");
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
      if (status !== 101) return [judged(status, head, "")];
      await client.send("through and back");
      await client.halfClose();
      const back = await client.readToEnd();
      // A tunnel that is cut has no other sign than its end, where the bytes do not say how many they are.
      if (!"through and back".startsWith(back)) throw new Error(`a tunnel gave back ${JSON.stringify(back)}`);
      return [back === "through and back" ? "answered" : "cut"];
    });
  }

  /** HTTP/1.0: the end of the answer is the end of the connection, and a reset is all that tells that it was cut. */
  #untilTheEnd(to: ClientTarget, round: number): Promise<Outcome[]> {
    return exchange(to, async (client) => {
      await client.send(`GET /until-the-end-${round} HTTP/1.0\r\nHost: a\r\n\r\n`);
      const answer = await client.readToEnd();
      if (answer === "") return ["cut"];
      const at = answer.indexOf("\r\n\r\n");
      const status = Number(/^HTTP\/1\.[01] (\d{3}) /.exec(answer)?.[1]);
      if (at < 0) {
        throw new Error(`an answer that ends inside of its head: ${JSON.stringify(answer.slice(0, 80))}`);
      }
      return [judged(status, answer.slice(at + 4), this.#body)];
    });
  }
}

async function exchange(
  to: ClientTarget,
  act: (client: RawClient) => Promise<Outcome[]>,
): Promise<Outcome[]> {
  let client: RawClient | null = null;
  try {
    client = await RawClient.connect(to);
    return await act(client);
  } catch (error) {
    if (error instanceof WatchdogError || error instanceof MalformedMessage) throw error;
    // The connection broke, or ended before the answer did.
    const broken = error instanceof EndedEarly || client === null ||
      /closed before all was sent|ECONN|EPIPE/.test(String(error));
    if (!broken) throw error;
    return ["cut"];
  } finally {
    client?.destroy();
  }
}

async function asked(client: RawClient, target: string, fields = ""): Promise<Outcome> {
  const { status, text } = await client.ask(`GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  return judged(status, text, target);
}

function judged(status: number, text: string, expected: string): Outcome {
  if (status === 200 && text === expected) return "answered";
  if (REFUSALS.has(status)) return "refused";
  throw new Error(`a wrong answer: ${status}, ${text.length} bytes where ${expected.length} were expected`);
}
