/**
 * Finds the route of a request: exact host before wildcard (longest first) before any host; then the
 * longest path prefix. The cost depends on the number of labels in the host and of segments in the
 * longest configured prefix, not on the number of routes.
 */

import { generousPath } from "./path_readings.ts";
import { addressBytes } from "./trusted_peers.ts";

/** What is needed of a route to find it. */
export interface RouteMatch {
  /** Lower case, without port; `*.example.com`; an IPv6 literal in brackets; null = any host. */
  readonly host: string | null;
  /** Prefix of whole segments, as `normalizedPath` writes it; a "/" at its end makes no difference. */
  readonly path: string;
}

/**
 * One spelling for all that name the same host: without the dot that may end a name, and an IPv6 literal by
 * its bytes, since it can be written in many ways. `host` is in lower case and has no port.
 */
export function hostKey(host: string): string {
  if (host.includes(":")) return "[" + (addressBytes(host.replace(/[[\]]/g, ""))?.join(".") ?? "") + "]";
  return host.length > 1 && host.endsWith(".") ? host.slice(0, -1) : host;
}

/** Paths of one host: prefix without its last "/" to route. */
class PathTable<R> {
  readonly routes = new Map<string, R>();
  /** Segments of the longest prefix. */
  depth = 0;

  find(path: string): R | null {
    if (this.depth === 0) return this.routes.get("") ?? null;
    // Only as many segments as the longest prefix has: the rest of the path cannot matter.
    let end = 0;
    for (let segments = 0; segments < this.depth; segments++) {
      const next = path.indexOf("/", end + 1);
      if (next < 0) {
        end = path.length;
        break;
      }
      end = next;
    }
    let prefix = path.slice(0, end);
    if (prefix.endsWith("/")) prefix = prefix.slice(0, -1);
    for (;;) {
      const route = this.routes.get(prefix);
      if (route !== undefined) return route;
      if (prefix === "") return null;
      prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf("/")));
    }
  }
}

export class Router<R extends RouteMatch> {
  readonly #exact = new Map<string, PathTable<R>>();
  /** By the part after "*.". */
  readonly #wildcard = new Map<string, PathTable<R>>();
  readonly #any = new PathTable<R>();
  /** Some route looks at the host. */
  readonly usesHost: boolean;
  /** Some route looks at the path. */
  readonly usesPath: boolean;

  /** The same routes by their decoded paths; null when no path has escapes. */
  readonly #decoded: Router<R> | null;

  /**
   * @param routes no two of the same host and path
   * @param decoded file them by their decoded paths (for the router's own use)
   */
  constructor(routes: readonly R[], decoded = false) {
    for (const route of routes) {
      const table = this.#tableFor(route.host);
      const path = decoded ? generousPath(route.path) ?? route.path : route.path;
      const prefix = path.endsWith("/") ? path.slice(0, -1) : path;
      table.routes.set(prefix, route);
      table.depth = Math.max(table.depth, prefix === "" ? 0 : prefix.split("/").length - 1);
    }
    this.usesHost = routes.some(({ host }) => host !== null);
    this.usesPath = routes.some(({ path }) => path !== "/" && path !== "");
    const escaped = !decoded && routes.some(({ path }) => path.includes("%"));
    this.#decoded = escaped ? new Router(routes, true) : null;
  }

  #tableFor(host: string | null): PathTable<R> {
    if (host === null) return this.#any;
    const [tables, key] = host.startsWith("*.")
      ? [this.#wildcard, host.slice(2)] as const
      : [this.#exact, hostKey(host)] as const;
    let table = tables.get(key);
    if (table === undefined) tables.set(key, table = new PathTable<R>());
    return table;
  }

  /**
   * @param host as `hostKey` has it; "" when the request names none
   * @param path normalised path, beginning with "/" (or "*")
   */
  find(host: string, path: string): R | null {
    if (this.usesHost && host !== "") {
      const route = this.#exact.get(host)?.find(path) ?? this.#findWildcard(host, path);
      if (route !== null) return route;
    }
    return this.#any.find(path);
  }

  /** The same for a path of `generousPath`. */
  findGenerous(host: string, path: string): R | null {
    return (this.#decoded ?? this).find(host, path);
  }

  #findWildcard(host: string, path: string): R | null {
    if (this.#wildcard.size === 0) return null;
    for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
      const route = this.#wildcard.get(host.slice(dot + 1))?.find(path);
      if (route != null) return route;
    }
    return null;
  }
}
