/** The part of the npm package `ws` that tests use; it comes without types. */
declare module "ws" {
  import type { EventEmitter } from "node:events";
  import type { Buffer } from "node:buffer";
  import type { AddressInfo } from "node:net";

  export class WebSocket extends EventEmitter {
    constructor(url: string, protocols?: string | readonly string[]);
    readonly protocol: string;
    send(data: string | Uint8Array, options?: { binary?: boolean }): void;
    ping(data?: string): void;
    close(code?: number, reason?: string): void;
    terminate(): void;
    on(event: "open", listener: () => void): this;
    on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): this;
    on(event: "ping" | "pong", listener: (data: Buffer) => void): this;
    on(event: "close", listener: (code: number, reason: Buffer) => void): this;
    on(event: "error", listener: (error: Error) => void): this;
  }

  export class WebSocketServer extends EventEmitter {
    constructor(options: { host: string; port: number; maxPayload?: number } | { server: object });
    readonly clients: Set<WebSocket>;
    address(): AddressInfo;
    close(done?: (error?: Error) => void): void;
    on(event: "listening", listener: () => void): this;
    on(event: "connection", listener: (socket: WebSocket) => void): this;
  }
}
