/**
 * The listener for those who run Sluice: status page, metrics, health. It answers from before the workers
 * start until after they have ended, and reads only; actions need to be allowed, and the token.
 */

import type { Address, Runtime, Timer } from "../../runtime/contract/contract.ts";
import { canonicalIp, isLocalhostName, isLoopback } from "../bytes/ip_address.ts";
import type { ControlPlane } from "../control/plane.ts";
import type { Status } from "../process/worker/status.ts";
import { ACTIONS_PATH, type AdminPlane, answerAction } from "./admin_action.ts";
import { History, SAMPLE_MS } from "./history.ts";
import {
  errorReply,
  type HttpReply,
  type HttpRequest,
  JSON_TYPE,
  type TextReply,
} from "../server/http_message.ts";
import { connectionLimits, HttpServer, type HttpServerOptions } from "../server/http_server.ts";
import { renderPage } from "./page/page.ts";
import { PAGE_SCRIPT } from "./page/script.ts";
import { PAGE_STYLE } from "./page/style.ts";
import { METRICS_TYPE, renderMetrics } from "./render_metrics.ts";

export interface AdminOptions extends Pick<HttpServerOptions, "maxConnections" | "maxRefused"> {
  readonly address: Address;
  /** What actions need; null = there are none. */
  readonly token: string | null;
  readonly plane: AdminPlane & Pick<ControlPlane, "status">;
  /** A bug. */
  readonly onError: (error: unknown) => void;
}

/** A form with a token and an action. Everyone who can connect can send one, so there is no room for more. */
const MAX_FORM_BYTES = 16 * 1024;
const HTML_TYPE = "text/html; charset=utf-8";
const TEXT_TYPE = "text/plain; charset=utf-8";

export class AdminListener {
  readonly #runtime: Runtime;
  readonly #options: AdminOptions;
  readonly #history = new History();
  #server: HttpServer | null = null;
  #pageHeaders: Readonly<Record<string, string>> = {};
  #sampler: Timer | null = null;
  #closed = false;

  private constructor(runtime: Runtime, options: AdminOptions) {
    this.#runtime = runtime;
    this.#options = options;
  }

  /** Binds and serves. @throws SocketFailure */
  static async start(runtime: Runtime, options: AdminOptions): Promise<AdminListener> {
    const listener = new AdminListener(runtime, options);
    listener.#pageHeaders = await pageHeaders();
    listener.#server = await HttpServer.start(runtime, {
      address: options.address,
      ...connectionLimits(options),
      guard: (request) => listener.#guard(request),
      onError: options.onError,
      maxBodyBytes: MAX_FORM_BYTES,
      routes: [
        { method: "GET", path: "/", handle: () => listener.#page() },
        { method: "GET", path: "/status.json", handle: () => listener.#statusJson() },
        { method: "GET", path: "/metrics", handle: () => listener.#metrics() },
        { method: "GET", path: "/-/ready", handle: () => listener.#ready() },
        { method: "GET", path: "/-/healthy", handle: () => text(200, "healthy\n") },
        { method: "POST", path: ACTIONS_PATH, handle: (request) => listener.#action(request) },
      ],
    });
    listener.#sample();
    return listener;
  }

  /** Where it listens: with port 0, the port the kernel chose. */
  get address(): Address {
    return this.#server?.address ?? this.#options.address;
  }

  /** Stops accepting, and ends what is under way within `patienceMs`. Idempotent. */
  async close(patienceMs: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#sampler?.cancel();
    await this.#server?.close(patienceMs);
  }

  #sample(): void {
    this.#sampler = this.#runtime.clock.setTimer(SAMPLE_MS, () => {
      this.#options.plane.status()
        .then((status) => this.#history.add(status), this.#options.onError)
        .finally(() => {
          if (!this.#closed) this.#sample();
        });
    }, true);
  }

  /**
   * A page of somebody else's whose name is made to mean this machine (DNS rebinding) could read what only this
   * machine may: so on the loopback the request must be for an address or for localhost.
   */
  #guard(request: HttpRequest): HttpReply | null {
    if (this.address.kind === "unix") return null; // Browsers have no way there.
    if (!isLoopback(this.address.host)) return null;
    const host = (request.header("host") ?? "").replace(/:\d*$/, "").toLowerCase();
    if (isLocalhostName(host) || canonicalIp(host.replace(/^\[(.*)\]$/, "$1")) !== null) return null;
    return errorReply(
      421,
      "misdirected",
      "Ask for 127.0.0.1 or localhost: this listener is for this machine.",
    );
  }

  async #page(): Promise<TextReply> {
    const status = await this.#options.plane.status();
    const body = renderPage({
      status,
      history: this.#history,
      nowMs: this.#runtime.clock.wall(),
      actions: this.#options.token !== null,
    });
    return { status: 200, contentType: HTML_TYPE, headers: this.#pageHeaders, body };
  }

  async #statusJson(): Promise<TextReply> {
    const status: Status = await this.#options.plane.status();
    return {
      status: 200,
      contentType: JSON_TYPE,
      headers: { "Cross-Origin-Resource-Policy": "same-origin" },
      body: JSON.stringify(status) + "\n",
    };
  }

  async #metrics(): Promise<TextReply> {
    return {
      status: 200,
      contentType: METRICS_TYPE,
      body: renderMetrics(await this.#options.plane.status()),
    };
  }

  /**
   * Whether requests can be sent here. An endpoint that is down does not count: requests for it are held, and
   * to take Sluice out of service then would lose them.
   */
  async #ready(): Promise<TextReply> {
    const { state } = await this.#options.plane.status();
    if (state === "serving") return text(200, "ready\n");
    return { ...text(503, `${state}\n`), headers: { "Retry-After": "1" } };
  }

  #action(request: HttpRequest): Promise<TextReply> {
    const { token, plane } = this.#options;
    return answerAction(request, token, plane, this.#pageHeaders);
  }
}

function text(status: number, body: string): TextReply {
  return { status, contentType: TEXT_TYPE, body };
}

/** Nothing but the page's own script and style runs in it, and it sends nothing elsewhere. */
async function pageHeaders(): Promise<Readonly<Record<string, string>>> {
  const [script, style] = await Promise.all([sha256(PAGE_SCRIPT), sha256(PAGE_STYLE)]);
  return {
    "Content-Security-Policy": `default-src 'none'; script-src '${script}'; style-src '${style}'; ` +
      "img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
  };
}

async function sha256(source: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(source));
  return `sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`;
}
