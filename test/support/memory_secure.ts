/**
 * TLS on open connections in memory. Nothing is encrypted, but the handshake is made of records on the wire: it can be
 * read in parts, handed over, held back and spoilt. Options travel beside the wire, and records name them by a number.
 */
import type {
  ClientTls,
  SecureEvents,
  SecureOptions,
  Securing,
  ServerTls,
  SocketError,
  SocketEvents,
  TlsSession,
} from "../../runtime/contract/contract.ts";
import { NOT_OPEN, PendingHandshake } from "../../runtime/shared/securing.ts";
import { judgeServer, type ServerAnswer, serverAnswer } from "./memory_certificates.ts";
import { type MemoryNetwork, Task } from "./memory_network.ts";
import { MemorySocket } from "./memory_socket.ts";

/** Every record is a header, what it is, and the number of what it stands for. */
const RECORD_BYTES = 10;
const HANDSHAKE = 0x16;
const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;
const REFUSED = 15;
const FINISHED = 20;

const GARBAGE: SocketError = { code: "tls_protocol_error", detail: "not a TLS record" };
const NOBODY: SocketEvents = { data() {}, drained() {}, ended() {}, closed() {} };

/** What the records of a network stand for. */
class Said {
  static readonly #of = new WeakMap<MemoryNetwork, Said>();
  readonly hellos: ClientTls[] = [];
  readonly answers: ServerAnswer[] = [];

  static on(network: MemoryNetwork): Said {
    let said = Said.#of.get(network);
    if (said === undefined) Said.#of.set(network, said = new Said());
    return said;
  }
}

function record(kind: number, index = 0): Uint8Array {
  const bytes = Uint8Array.of(HANDSHAKE, 3, 1, 0, RECORD_BYTES - 5, kind, 0, 0, 0, 0);
  new DataView(bytes.buffer).setUint32(6, index);
  return bytes;
}

export function secureInMemory(
  network: MemoryNetwork,
  options: SecureOptions,
  events: SecureEvents,
  onHandlerError: (error: unknown) => void,
): Securing {
  const { socket, alreadyRead } = options;
  const pending = new PendingHandshake(options, events, { clock: network.clock, onHandlerError });
  const heir = socket instanceof MemorySocket ? socket.release() : null;
  if (heir === null) {
    socket.events = NOBODY;
    socket.abort();
    network.schedule(
      new Task(() => {
        const told = !pending.over;
        pending.fail(NOT_OPEN);
        return told;
      }),
    );
    return pending;
  }
  if (alreadyRead !== undefined) heir.unread(alreadyRead);
  shakeHands(network, heir, options.tls, pending);
  return pending;
}

/** Begins a handshake on a socket that no handler has. */
export function shakeHands(
  network: MemoryNetwork,
  socket: MemorySocket,
  tls: ClientTls | ServerTls,
  pending: PendingHandshake,
): void {
  const said = Said.on(network);
  const handshake = "serverName" in tls
    ? new ClientHandshake(socket, tls, said, pending)
    : new ServerHandshake(socket, tls, said, pending);
  pending.drop = (abort) => {
    socket.events = NOBODY;
    if (abort) socket.abort();
    else socket.close();
  };
  socket.open(() => handshake);
  handshake.begin();
}

abstract class MemoryHandshake implements SocketEvents {
  readonly pending: PendingHandshake;
  readonly said: Said;
  readonly #socket: MemorySocket;
  readonly #record = new Uint8Array(RECORD_BYTES);
  #count = 0;
  /** To be sent when there is room. */
  #unsent = new Uint8Array(0);

  constructor(socket: MemorySocket, said: Said, pending: PendingHandshake) {
    this.#socket = socket;
    this.said = said;
    this.pending = pending;
  }

  abstract begin(): void;
  /** A record has come. */
  protected abstract heard(kind: number, index: number): void;

  protected send(kind: number, index = 0): void {
    const bytes = new Uint8Array([...this.#unsent, ...record(kind, index)]);
    const taken = this.#socket.write(bytes, 0, bytes.length);
    this.#unsent = bytes.slice(taken);
  }

  protected agreed(session: TlsSession): void {
    const socket = this.#socket;
    socket.tls = session;
    this.pending.succeed((hand) => socket.pass(hand));
  }

  data(bytes: Uint8Array): void {
    const taken = Math.min(RECORD_BYTES - this.#count, bytes.length);
    this.#record.set(bytes.subarray(0, taken), this.#count);
    this.#count += taken;
    if (this.#record[0] !== HANDSHAKE) return this.pending.fail(GARBAGE);
    if (taken < bytes.length) this.#socket.unread(bytes.subarray(taken));
    if (this.#count < RECORD_BYTES) return;
    this.#count = 0;
    this.heard(this.#record[5] ?? 0, new DataView(this.#record.buffer).getUint32(6));
  }

  drained(): void {
    const { length } = this.#unsent;
    this.#unsent = this.#unsent.slice(this.#socket.write(this.#unsent, 0, length));
  }

  ended(): void {
    this.pending.fail({ code: "connection_terminated", detail: "end of stream" });
  }

  closed(): void {
    this.pending.fail({ code: "connection_terminated", detail: "ECONNRESET" });
  }
}

class ClientHandshake extends MemoryHandshake {
  readonly #tls: ClientTls;

  constructor(socket: MemorySocket, tls: ClientTls, said: Said, pending: PendingHandshake) {
    super(socket, said, pending);
    this.#tls = tls;
  }

  begin(): void {
    this.send(CLIENT_HELLO, this.said.hellos.push(this.#tls) - 1);
  }

  protected heard(kind: number, index: number): void {
    const answer = kind === SERVER_HELLO ? this.said.answers[index] : undefined;
    if (answer === undefined) return this.pending.fail(GARBAGE);
    if ("error" in answer) return this.pending.fail(answer.error);
    const error = judgeServer(answer.cert, this.#tls);
    this.send(error === null ? FINISHED : REFUSED);
    if (error !== null) this.pending.fail(error);
    else this.agreed({ ...answer.session, serverName: this.#tls.serverName });
  }
}

class ServerHandshake extends MemoryHandshake {
  readonly #tls: ServerTls;
  /** Given to the client, which has not finished yet. */
  #session: TlsSession | null = null;

  constructor(socket: MemorySocket, tls: ServerTls, said: Said, pending: PendingHandshake) {
    super(socket, said, pending);
    this.#tls = tls;
  }

  begin(): void {}

  protected heard(kind: number, index: number): void {
    if (this.#session !== null) {
      if (kind === FINISHED) this.agreed(this.#session);
      else if (kind === REFUSED) {
        this.pending.fail({ code: "tls_certificate_error", detail: "the client refused the certificate" });
      } else this.pending.fail(GARBAGE);
      return;
    }
    const hello = kind === CLIENT_HELLO ? this.said.hellos[index] : undefined;
    if (hello === undefined) return this.pending.fail(GARBAGE);
    const answer = serverAnswer(hello, this.#tls);
    this.send(SERVER_HELLO, this.said.answers.push(answer) - 1);
    if ("error" in answer) this.pending.fail(answer.error);
    else this.#session = answer.session;
  }
}
