/**
 * One question to one name server: a datagram, and TCP where the answer does not fit into one. Each question has a
 * socket, and so a port of the kernel's choice, and an id of its own; what does not answer it is not believed
 * (RFC 5452).
 */

import type {
  DatagramSocket,
  Dial,
  Runtime,
  Socket,
  SocketEvents,
  Timer,
} from "../../runtime/contract/contract.ts";
import { encodeQuestion, type Question, RCODE, readReply, type Reply } from "./dns_message.ts";
import type { NameServer } from "./resolv_conf.ts";

/** What a server made of a question. `silent`: no answer in time; `unreachable`: there is no server. */
export type ServerAnswer =
  | Exclude<Reply, { readonly kind: "unrelated" | "truncated" }>
  | { readonly kind: "silent" }
  | { readonly kind: "unreachable"; readonly detail: string };

/** Datagrams that answer something else, after which an attacker may be guessing: then TCP is used. */
const MOST_UNRELATED = 16;
const LENGTH_BYTES = 2;

export class DnsExchange {
  readonly #runtime: Runtime;
  readonly #server: NameServer;
  readonly #question: Question;
  readonly #done: (answer: ServerAnswer) => void;
  readonly #timer: Timer;
  readonly #end: number;
  #datagrams: DatagramSocket | null = null;
  #dial: Dial | null = null;
  #stream: DnsStream | null = null;
  #unrelated = 0;
  #extended = true;
  #over = false;

  /** @param done called once, never inside this call, and not after `cancel` */
  constructor(
    runtime: Runtime,
    server: NameServer,
    question: Omit<Question, "id">,
    how: { readonly timeoutMs: number; readonly tcp: boolean },
    done: (answer: ServerAnswer) => void,
  ) {
    this.#runtime = runtime;
    this.#server = server;
    this.#question = { ...question, id: randomId() };
    this.#done = done;
    this.#end = runtime.clock.now() + how.timeoutMs;
    this.#timer = runtime.clock.setTimer(how.timeoutMs, () => this.#settle({ kind: "silent" }), true);
    if (how.tcp) this.#askByStream();
    else this.#askByDatagram();
  }

  cancel(): void {
    this.#close();
  }

  #askByDatagram(): void {
    const { host, port } = this.#server;
    this.#datagrams = this.#runtime.openDatagrams({ host, port }, {
      received: (bytes) => this.#datagram(bytes),
      failed: ({ code, detail }) => this.#settle({ kind: "unreachable", detail: detail || code }),
    });
    this.#datagrams.send(encodeQuestion(this.#question, this.#extended));
  }

  #datagram(bytes: Uint8Array): void {
    const reply = readReply(bytes, this.#question);
    if (reply.kind === "unrelated") {
      if (++this.#unrelated >= MOST_UNRELATED) this.#askByStream();
    } else if (reply.kind === "truncated") this.#askByStream();
    else this.#answered(reply);
  }

  #answered(reply: Exclude<Reply, { readonly kind: "unrelated" | "truncated" }>): void {
    // RFC 6891 §7: a server from before EDNS.
    if (reply.kind === "refused" && reply.rcode === RCODE.formatError && this.#extended) {
      this.#extended = false;
      if (this.#stream !== null) this.#stream.ask(encodeQuestion(this.#question, false));
      else this.#datagrams?.send(encodeQuestion(this.#question, false));
      return;
    }
    this.#settle(reply);
  }

  #askByStream(): void {
    this.#datagrams?.close();
    this.#datagrams = null;
    const timeoutMs = Math.max(1, this.#end - this.#runtime.clock.now());
    const address = { kind: "tcp", ...this.#server } as const;
    this.#dial = this.#runtime.dial({ address, timeoutMs, tls: null }, {
      opened: (socket) => {
        this.#stream = new DnsStream(socket, (message) => this.#message(message));
        this.#stream.ask(encodeQuestion(this.#question, this.#extended));
        return this.#stream;
      },
      failed: ({ code, detail }) => this.#settle({ kind: "unreachable", detail: detail || code }),
    });
  }

  /** @param message null when the server has closed the connection */
  #message(message: Uint8Array | null): void {
    if (message === null) {
      this.#settle({ kind: "unreachable", detail: "the connection to the name server ended" });
      return;
    }
    const reply = readReply(message, this.#question);
    // Over TCP nothing is truncated, and nothing else was asked.
    if (reply.kind === "unrelated" || reply.kind === "truncated") {
      this.#settle({ kind: "refused", rcode: -1 });
    } else this.#answered(reply);
  }

  #settle(answer: ServerAnswer): void {
    if (this.#over) return;
    this.#close();
    this.#done(answer);
  }

  #close(): void {
    this.#over = true;
    this.#timer.cancel();
    this.#datagrams?.close();
    this.#dial?.cancel();
    this.#stream?.close();
  }
}

/** Messages over TCP, each with its length in front (RFC 1035 §4.2.2). */
class DnsStream implements SocketEvents {
  readonly #socket: Socket;
  readonly #heard: (message: Uint8Array | null) => void;
  #unsent: Uint8Array = new Uint8Array();
  /** The message that is coming, or its length; full when `#filled` bytes have come. */
  #coming: Uint8Array = new Uint8Array(LENGTH_BYTES);
  #filled = 0;
  #isLength = true;
  #open = true;

  constructor(socket: Socket, heard: (message: Uint8Array | null) => void) {
    this.#socket = socket;
    this.#heard = heard;
  }

  ask(message: Uint8Array): void {
    const framed = new Uint8Array(LENGTH_BYTES + message.length);
    new DataView(framed.buffer).setUint16(0, message.length);
    framed.set(message, LENGTH_BYTES);
    this.#unsent = framed;
    this.drained();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.abort();
  }

  drained(): void {
    const taken = this.#socket.write(this.#unsent, 0, this.#unsent.length);
    this.#unsent = this.#unsent.subarray(taken);
  }

  data(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && this.#open;) {
      const taken = Math.min(bytes.length - at, this.#coming.length - this.#filled);
      this.#coming.set(bytes.subarray(at, at + taken), this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === this.#coming.length) this.#full();
    }
  }

  #full(): void {
    const full = this.#coming;
    const size = this.#isLength ? (full[0] as number) << 8 | (full[1] as number) : 0;
    this.#isLength = size === 0;
    this.#coming = new Uint8Array(size === 0 ? LENGTH_BYTES : size);
    this.#filled = 0;
    // An empty message is one, too short to answer anything.
    if (this.#isLength) this.#heard(full);
  }

  ended(): void {
    if (this.#open) this.#heard(null);
  }

  closed(): void {
    const wasOpen = this.#open;
    this.#open = false;
    if (wasOpen) this.#heard(null);
  }
}

function randomId(): number {
  return crypto.getRandomValues(new Uint16Array(1))[0] as number;
}
