/** The control socket of a Sluice that serves. Only its user can ever open it, unless the configuration lets others. */

import {
  type Address,
  type Runtime,
  SocketFailure,
  type System,
  SystemError,
  type UnixAccess,
} from "../../runtime/contract/contract.ts";
import { HttpCall } from "../client/http_call.ts";
import { errorReply, type HttpReply, type HttpRequest, type HttpRoute } from "../server/http_message.ts";
import { HttpServer, type HttpServerOptions } from "../server/http_server.ts";
import { authorization, controlFile, readControlAddress } from "../control/control_address.ts";
import { controlName, foundSockets, ownFolder } from "../control/control_path.ts";
import { roomAside } from "../process/worker/descriptor_room.ts";
import { CONTROL_LOOKS, PathKeeper } from "../process/shared/path_keeper.ts";

/** How long a socket that is there already may take to accept us. */
const PROBE_MS = 2_000;

export interface ControlOptions {
  /** As the configuration has it: a path, "off", or null for the default. */
  readonly control: string | null;
  /** The addresses really bound. */
  readonly listeners: readonly Address[];
  readonly routes: readonly HttpRoute[];
  /** Asked before a route is: answers when it must not be. */
  readonly refuse?: () => HttpReply | null;
  /** A bug in a route. */
  readonly onError: (error: unknown) => void;
  /** Take the path over from a Sluice that answers there: it hands its place to us. */
  readonly takeOver?: boolean;
  /** Users that may open it; null = our user alone. */
  readonly access?: UnixAccess | null;
  /** Told what happens to its path later, in words. */
  readonly noted?: (message: string) => void;
}

/** What became of it; `none` when it is switched off. */
export type ControlOpened =
  | { readonly kind: "open"; readonly socket: ControlSocket }
  | { readonly kind: "none" }
  /** The default cannot be used: serving goes on without it. */
  | { readonly kind: "skipped"; readonly why: string }
  /** The path that was asked for cannot be used. */
  | { readonly kind: "failed"; readonly why: string };

export class ControlSocket {
  readonly path: string;
  readonly #system: System;
  readonly #server: HttpServer;
  readonly #release: () => void;
  #identity = "";

  private constructor(runtime: Runtime, system: System, path: string, bound: Bound, options: ControlOptions) {
    this.#system = system;
    this.path = path;
    this.#server = bound.server;
    const keeper = new PathKeeper(runtime.clock, system, CONTROL_LOOKS, options.noted ?? (() => {}));
    this.#release = keeper.keep(path, async () => {
      // A cleaner of /tmp removes the folder as well.
      if (options.control === null) await ownFolder(system);
      await bound.again();
      await this.#identify();
    });
  }

  async #identify(): Promise<void> {
    this.#identity = (await this.#system.statusOf(this.path))?.identity ?? "";
  }

  static async open(runtime: Runtime, system: System, options: ControlOptions): Promise<ControlOpened> {
    const { control, listeners } = options;
    if (control === "off") return { kind: "none" };
    let path = control;
    if (path === null) {
      const folder = await ownFolder(system);
      if ("why" in folder) return { kind: "skipped", why: `there is no folder for it: ${folder.why}` };
      path = `${folder.path}/${controlName(system, listeners)}`;
    }
    try {
      const taken = options.takeOver === true ? null : await inTheWay(runtime, system, path);
      if (taken !== null) return { kind: control === null ? "skipped" : "failed", why: `${path}: ${taken}` };
      const bound = runtime.capabilities.unixSockets && system.platform !== "win32"
        ? await bindUnix(runtime, system, path, options)
        : await bindLoopback(runtime, system, path, options);
      if (control === null) void removeDead(runtime, system, path);
      const socket = new ControlSocket(runtime, system, path, bound, options);
      await socket.#identify();
      return { kind: "open", socket };
    } catch (error) {
      if (!(error instanceof SystemError || error instanceof SocketFailure)) throw error;
      return { kind: control === null ? "skipped" : "failed", why: `${path}: ${error.message}` };
    }
  }

  /** Removes the path, unless another has taken it, lets answers under way go out, and closes. */
  async close(patienceMs: number, gapMs = 0): Promise<void> {
    this.#release();
    await this.#removePath();
    await this.#server.close(patienceMs, gapMs);
  }

  /** Drops all clients, those that wait for the end of this process too. */
  abort(): void {
    this.#server.abort();
  }

  async #removePath(): Promise<void> {
    try {
      const status = await this.#system.statusOf(this.path);
      if (status?.identity === this.#identity) await this.#system.remove(this.path);
    } catch (error) {
      // It is gone already, or not ours to remove any more.
      if (!(error instanceof SystemError)) throw error;
    }
  }
}

/** Takes away what Sluices that were killed left in our folder. A path is never there before its socket listens. */
async function removeDead(runtime: Runtime, system: System, ours: string): Promise<void> {
  try {
    for (const path of await foundSockets(system)) {
      const before = path === ours ? null : await system.statusOf(path);
      if (before?.kind !== "socket" || await inTheWay(runtime, system, path) !== null) continue;
      const after = await system.statusOf(path);
      if (after?.identity === before.identity) await system.remove(path);
    }
  } catch (error) {
    // They stay, and are in no one's way.
    if (!(error instanceof SystemError)) throw error;
  }
}

/** Why what is at `path` must stay there; null when there is nothing, or only what a dead Sluice left behind. */
async function inTheWay(runtime: Runtime, system: System, path: string): Promise<string | null> {
  const there = await readControlAddress(system, path);
  if (there === "nothing") return null;
  if (there === "foreign") return "is there already, and is no control socket";
  const { reply } = HttpCall.begin(runtime, there.address, {
    method: "GET",
    target: "/",
    body: "",
    headers: there.headers,
    timeoutMs: PROBE_MS,
  });
  const probed = await reply;
  if (!probed.ok && probed.code === "absent") return null;
  return "another program answers there: stop it, or choose another --control";
}

/** What serves, and what gives it its path once more when that was removed. */
interface Bound {
  readonly server: HttpServer;
  readonly again: () => Promise<void>;
}

const OURS_ALONE: UnixAccess = { mode: 0o600, owner: null, group: null };

async function bindUnix(
  runtime: Runtime,
  system: System,
  path: string,
  options: ControlOptions,
): Promise<Bound> {
  const access = options.access ?? OURS_ALONE;
  const server = await inPrivate(
    system,
    path,
    access,
    (address) => HttpServer.start(runtime, { address, ...serving(system, options) }),
    (started) => started.abort(),
  );
  const again = () => inPrivate(system, path, access, (address) => server.moveTo(address), () => {});
  return { server, again };
}

/**
 * Binds in a fresh folder that only we can enter, and then gives the socket its path: at no moment can another
 * user open it, and a dead one is replaced in one step.
 */
async function inPrivate<T>(
  system: System,
  path: string,
  access: UnixAccess,
  bind: (address: Address) => Promise<T>,
  undo: (bound: T) => void,
): Promise<T> {
  const slash = path.lastIndexOf("/");
  const folder = `${slash < 0 ? "." : path.slice(0, slash)}/.sluice-${randomHex(4)}`;
  const name = `${folder}/s`;
  await system.makeFolder(folder);
  try {
    const bound = await bind({ kind: "unix", path: name });
    try {
      await system.allow(name, access);
      await system.rename(name, path);
      return bound;
    } catch (error) {
      undo(bound);
      await system.remove(name).catch(() => {});
      throw error;
    }
  } finally {
    await system.removeFolder(folder).catch(() => {});
  }
}

/** Where there are no Unix sockets: a port of this machine, and a secret in a file that only we can read. */
async function bindLoopback(
  runtime: Runtime,
  system: System,
  path: string,
  options: ControlOptions,
): Promise<Bound> {
  const secret = randomHex(32);
  const wanted = authorization(secret);
  const guard = (request: HttpRequest): HttpReply | null =>
    sameText(request.header("authorization") ?? "", wanted)
      ? null
      : errorReply(403, "forbidden", "The secret of the control file is missing.");
  const { refuse } = options;
  const server = await HttpServer.start(runtime, {
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    ...serving(system, options),
    guard: (request) => guard(request) ?? refuse?.() ?? null,
  });
  try {
    const { address } = server;
    const write = () =>
      system.writeText(path, controlFile(address.kind === "tcp" ? address.port : 0, secret), true);
    await write();
    return { server, again: write };
  } catch (error) {
    server.abort();
    throw error;
  }
}

function serving(
  system: System,
  { routes, onError, refuse }: ControlOptions,
): Omit<HttpServerOptions, "address"> {
  const limits = roomAside(system.descriptorLimit);
  return { routes, onError, ...limits, ...(refuse === undefined ? {} : { guard: refuse }) };
}

/** In a time that does not tell where they differ. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

function randomHex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
