/** How connections of a listener on Bun become sockets: at once, or when their TLS handshake is done. */
import type {
  AcceptEvents,
  ListenOptions,
  ServerTls,
  SocketError,
  Timer,
  TlsSession,
} from "../contract/contract.ts";
import { NO_HANDSHAKE_ROOM } from "../contract/contract.ts";
import { HANDSHAKE_HANDLERS, HandshakeOwner } from "./handshake.ts";
import { type NativeHandlers, type NativeSocket, OWNER_HANDLERS } from "./native.ts";
import { acknowledge } from "./quick_ack.ts";
import { sendDirectly } from "./send_held.ts";
import { BunSocket, type Host } from "./socket.ts";
import { certificateChooser, isPlainHttp } from "./tls.ts";

/** Handlers of a listener without TLS. */
export function plainHandlers(events: AcceptEvents, host: Host): NativeHandlers {
  return { ...OWNER_HANDLERS, open: (native) => accept(new BunSocket(native, host, null), events) };
}

/** Handlers of a listener with TLS. Rejects when a certificate or key by name cannot be read. */
export async function tlsHandlers(
  options: ListenOptions & { readonly tls: ServerTls },
  events: AcceptEvents,
  host: Host,
): Promise<NativeHandlers> {
  const { tls } = options;
  const names = tls.names ?? [];
  const underWay: HandshakeCount = { handshakes: 0 };
  return {
    ...HANDSHAKE_HANDLERS,
    open(native) {
      const handshake = new AcceptedHandshake(
        native,
        tls,
        options.handshakeTimeoutMs,
        events,
        host,
        underWay,
      );
      native.data = handshake;
      if (underWay.handshakes > (events.handshakeRoom?.() ?? Infinity)) handshake.fail(NO_HANDSHAKE_ROOM);
    },
    ...(names.length === 0 ? {} : { serverName: await certificateChooser(tls, names) }),
  };
}

function accept(socket: BunSocket, events: AcceptEvents): void {
  try {
    socket.events = events.accepted(socket);
  } catch (error) {
    socket.threw(error);
  }
}

/** Of one listener. */
interface HandshakeCount {
  handshakes: number;
}

/** Owns an accepted connection until its TLS handshake is done. */
class AcceptedHandshake extends HandshakeOwner {
  readonly #underWay: HandshakeCount;
  readonly #native: NativeSocket;
  readonly #events: AcceptEvents;
  readonly #timer: Timer;
  #settled = false;

  constructor(
    native: NativeSocket,
    tls: ServerTls,
    timeoutMs: number,
    events: AcceptEvents,
    host: Host,
    underWay: HandshakeCount,
  ) {
    super(tls, host);
    this.#native = native;
    this.#events = events;
    this.#underWay = underWay;
    underWay.handshakes++;
    this.#timer = host.clock.setTimer(timeoutMs, () => {
      this.fail({ code: "connection_timeout", detail: `no TLS handshake within ${timeoutMs} ms` });
    }, true);
  }

  protected override get over(): boolean {
    return this.#settled;
  }

  protected override secured(native: NativeSocket, settled: TlsSession): void {
    this.#settle();
    acknowledge(native.fd);
    accept(new BunSocket(native, this.host, settled), this.#events);
  }

  protected override refused(failure: SocketError, _native: NativeSocket, error: unknown): void {
    if (isPlainHttp(error)) this.#answerPlain();
    this.fail(failure);
  }

  protected override lost(failure: SocketError): void {
    this.fail(failure);
  }

  /** Below TLS, which would make a record of it. BoringSSL has sent no alert for this. */
  #answerPlain(): void {
    try {
      const answer = this.#events.answerPlain?.();
      if (answer !== undefined) sendDirectly(this.#native.fd, answer, answer.length);
    } catch (thrown) {
      this.host.onHandlerError(thrown);
    }
  }

  #settle(): void {
    this.#settled = true;
    this.#underWay.handshakes--;
    this.#timer.cancel();
  }

  /** Closes the connection and reports why, once. */
  fail(error: SocketError): void {
    if (this.#settled) return;
    this.#settle();
    // In order, so that the alert which says why arrives before a reset could overtake it.
    this.#native.close();
    try {
      this.#events.acceptFailed(error);
    } catch (thrown) {
      this.host.onHandlerError(thrown);
    }
  }
}
