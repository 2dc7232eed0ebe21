/** An answer of the small HTTP server that is written to whenever there is something to tell, until either side ends it. */

import { PieceQueue } from "../answer/piece_queue.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import type { StreamReply } from "./http_message.ts";

/** A client that leaves more of a stream than this unread is dropped. */
const MAX_BACKLOG_BYTES = 1024 * 1024;

const UTF8 = new TextEncoder();

export class HttpStream {
  readonly #client: DownstreamStream;
  readonly #reply: StreamReply;
  /** Its body. */
  readonly pieces = new PieceQueue();
  #isOver = false;
  #told: (() => void) | null = null;

  constructor(client: DownstreamStream, reply: StreamReply) {
    this.#client = client;
    this.#reply = reply;
  }

  /** The end of the server leaves it alone. */
  get lasts(): boolean {
    return this.#reply.untilExit === true && !this.#isOver;
  }

  /** Its head has been sent. Nothing happens when it has ended with that. */
  begin(): void {
    if (this.#isOver) return;
    const over = this.#reply.begin({ write: (text) => this.#write(text), end: () => this.end() });
    // It may have ended inside the call.
    if (this.#isOver) over();
    else this.#told = over;
  }

  #write(text: string): void {
    this.pieces.write(UTF8.encode(text));
    if (this.pieces.bytes + this.#client.backlogBytes <= MAX_BACKLOG_BYTES) return;
    void this.pieces.cancel();
    this.#client.abort();
  }

  /** What has been written is still sent. Idempotent. */
  end(): void {
    this.#isOver = true;
    this.pieces.end();
    const over = this.#told;
    this.#told = null;
    over?.();
  }
}
