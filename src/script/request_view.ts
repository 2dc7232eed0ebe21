/** A request as scripts see it. Made for each request that a script is asked about, so it holds little until it is asked. */

import type { FieldInit } from "../answer/answer_types.ts";
import { ScriptError } from "../answer/script_error.ts";
import type { DownstreamStream } from "../http/downstream_stream.ts";
import { Field } from "../http/field.ts";
import { type Head, versionText } from "../http/head.ts";
import { PathPrefix } from "../http/path_prefix.ts";
import { parseAuthority } from "../http/target.ts";
import { normalizedPath } from "../http/target.ts";
import { SectionFields } from "./field_views.ts";
import type { Fields, HttpRequest } from "./script_types.ts";

/** What a request in a script's hands can be asked for besides its head. */
export interface RequestBodySource {
  readonly signal: AbortSignal;
  readonly trailers: Head | null;
  /** @throws ScriptError when it is longer, or has been read piece by piece */
  bytes(limit: number | undefined): Promise<Uint8Array>;
  pieces(): AsyncIterable<Uint8Array>;
  earlyHints(fields: FieldInit): void;
}

/** The path can be read in two ways, so no rule about it holds: the request is answered 400. */
export class AmbiguousPath extends ScriptError {
  override name = "AmbiguousPath";
}

/** Prefixes that scripts have asked about; they are literals, mostly. */
const PREFIXES = new Map<string, PathPrefix>();
const MOST_PREFIXES = 1000;
const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});
const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** Of all views of a request: what its scripts keep, and which number it has. */
export interface RequestMemory {
  readonly state: Record<string, unknown>;
  id: number;
}

export class RequestView implements HttpRequest {
  readonly #client: DownstreamStream;
  readonly #head: Head;
  readonly #target: string;
  readonly #authority: string;
  readonly #owner: RequestOwner;
  #memory: RequestMemory | null;
  #headers: Fields | null = null;
  #query: URLSearchParams | null = null;
  params: Readonly<Record<string, string>> = NO_PARAMS;

  /**
   * @param head as the script before this one has left it
   * @param target path and query
   * @param authority host and port that are asked for, "" for none
   * @param memory of a view that another script has of it; null = there is none yet
   */
  constructor(
    owner: RequestOwner,
    client: DownstreamStream,
    head: Head,
    target: string,
    authority: string,
    memory: RequestMemory | null,
  ) {
    this.#owner = owner;
    this.#client = client;
    this.#head = head;
    this.#target = target;
    this.#authority = authority;
    this.#memory = memory;
  }

  /** What all views of the request share; made when it is first needed. */
  get memory(): RequestMemory {
    return this.#memory ??= { state: {}, id: 0 };
  }

  get id(): number {
    const { memory } = this;
    if (memory.id === 0) memory.id = this.#owner.numberOf(this);
    return memory.id;
  }

  /** Its number if anybody has asked for it, else 0. */
  get knownId(): number {
    return this.#memory === null ? 0 : this.#memory.id;
  }

  get method(): string {
    return this.#head.method;
  }

  get uri(): string {
    return this.#target;
  }

  get path(): string {
    const target = this.#target;
    const path = normalizedPath(target);
    if (path !== null) return path;
    const query = target.indexOf("?");
    return query < 0 ? target : target.slice(0, query);
  }

  get query(): URLSearchParams {
    if (this.#query === null) {
      const query = this.#target.indexOf("?");
      this.#query = new URLSearchParams(query < 0 ? "" : this.#target.slice(query + 1));
    }
    return this.#query;
  }

  get host(): string {
    const authority = this.#authority;
    return authority === "" ? "" : parseAuthority(authority)?.host ?? "";
  }

  get scheme(): "http" | "https" {
    const { peer } = this.#client;
    if (peer.trusted && this.#head.valueOf(Field.xForwardedProto)?.toLowerCase() === "https") return "https";
    return peer.secure ? "https" : "http";
  }

  get version(): string {
    return versionText(this.#head.version);
  }

  get headers(): Fields {
    return this.#headers ??= new SectionFields(this.#head.section);
  }

  get peer(): string {
    return this.#client.peer.remoteAddress;
  }

  get client(): string {
    const { peer } = this.#client;
    if (!peer.trusted) return peer.remoteAddress;
    // The last one is what the trusted peer has seen itself; those before it are what it was told.
    const told = this.#head.joined(Field.xForwardedFor)?.split(",").at(-1)?.trim() ?? "";
    return told === "" ? peer.remoteAddress : told;
  }

  get upgrade(): string | null {
    const asked = this.#head.joined(Field.upgrade);
    return asked === null ? null : asked.toLowerCase();
  }

  get bodyBytes(): number | null {
    const { requestBody } = this.#client;
    return requestBody === -1 ? null : Math.max(0, requestBody);
  }

  get state(): Record<string, unknown> {
    return this.memory.state;
  }

  get signal(): AbortSignal {
    return this.#owner.bodyOf(this).signal;
  }

  get body(): AsyncIterable<Uint8Array> {
    return this.#owner.bodyOf(this).pieces();
  }

  get trailers(): Fields | null {
    const { trailers } = this.#owner.bodyOf(this);
    return trailers === null ? null : new SectionFields(trailers.section);
  }

  cookie(name: string): string | null {
    const all = this.#head.joined(Field.cookie);
    if (all === null) return null;
    // Lines of Cookie are joined by "; " (RFC 9113 §8.2.3), ours by ", ": no name or value has a comma and a space.
    for (const pair of all.split(/[;,] ?/)) {
      const equals = pair.indexOf("=");
      if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
      const value = pair.slice(equals + 1).trim();
      return value.startsWith('"') && value.endsWith('"') && value.length > 1 ? value.slice(1, -1) : value;
    }
    return null;
  }

  under(prefix: string): boolean {
    if (typeof prefix !== "string" || !prefix.startsWith("/")) {
      throw new ScriptError(`under: ${String(prefix)}: a path is needed, from "/" on`);
    }
    let found = PREFIXES.get(prefix);
    if (found === undefined) {
      if (PREFIXES.size >= MOST_PREFIXES) PREFIXES.clear();
      PREFIXES.set(prefix, found = new PathPrefix(prefix));
    }
    const under = found.has(this.#target);
    if (under === "ambiguous") throw new AmbiguousPath("the path can be read in two ways");
    return under;
  }

  bytes(limit?: number): Promise<Uint8Array> {
    return this.#owner.bodyOf(this).bytes(limit);
  }

  async text(limit?: number): Promise<string> {
    const bytes = await this.bytes(limit);
    try {
      return UTF8.decode(bytes);
    } catch {
      throw new ScriptError("the body is not UTF-8");
    }
  }

  async json(limit?: number): Promise<unknown> {
    return JSON.parse(await this.text(limit));
  }

  earlyHints(headers: FieldInit): void {
    this.#owner.bodyOf(this).earlyHints(headers);
  }
}

/** Who made a view. */
export interface RequestOwner {
  /** Puts the request into hands that can read its body. */
  bodyOf(view: RequestView): RequestBodySource;
  /** The number that it will have in the access log. */
  numberOf(view: RequestView): number;
}
