/**
 * Finds the route of a request: exact host before wildcard (longest first) before any host; then the
 * longest path prefix. The cost depends on the number of labels in the host and of segments in the
 * longest configured prefix, not on the number of routes.
 */

import { ipBytes } from "../bytes/ip_address.ts";
import { canonicalPath, isReadDifferently, pathReadings, plainPath } from "../http/path_readings.ts";
import { nodesOf, PathNode } from "../http/path_tree.ts";

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
  if (host.includes(":")) return "[" + (ipBytes(host.replace(/[[\]]/g, ""))?.join(".") ?? "") + "]";
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

  /** The prefixes of all routes, whatever their hosts. */
  readonly #root = new PathNode("", null, "");

  /** Some route has escapes that others write as characters: requests without any need a closer look, too. */
  readonly #escaped: boolean;

  /** @param routes no two of the same host and path */
  constructor(routes: readonly R[]) {
    for (const route of routes) {
      const table = this.#tableFor(route.host);
      const path = canonicalPath(route.path);
      const prefix = path.endsWith("/") ? path.slice(0, -1) : path;
      const segments = prefix.split("/").slice(1);
      segments.reduce((node, segment) => node.child(segment), this.#root);
      table.routes.set(prefix, route);
      table.depth = Math.max(table.depth, segments.length);
    }
    this.usesHost = routes.some(({ host }) => host !== null);
    this.#escaped = routes.some(({ path }) => isReadDifferently(canonicalPath(path)));
    this.usesPath = routes.some(({ path }) => path !== "/" && path !== "");
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
   * The route of a request; null when there is none, "ambiguous" when readers of its path could differ in the route.
   *
   * @param host as `hostKey` has it; "" when the request names none
   * @param target origin form, query included, or "*"
   */
  route(host: string, target: string): R | null | "ambiguous" {
    if (!this.usesPath || target === "*") return this.find(host, target);
    const path = this.#escaped ? null : plainPath(target);
    if (path !== null) return this.find(host, path);
    const texts = pathReadings(target);
    if (texts === null) return "ambiguous";
    let route: R | null | undefined;
    for (const text of texts) {
      const nodes = nodesOf(this.#root, text);
      if (nodes === null) return "ambiguous";
      for (const node of nodes) {
        const found = this.find(host, node.path);
        if (route !== undefined && found !== route) return "ambiguous";
        route = found;
      }
    }
    return route ?? null;
  }

  /**
   * @param host as `hostKey` has it; "" when the request names none
   * @param path that all servers read alike, canonical (or "*")
   */
  find(host: string, path: string): R | null {
    if (this.usesHost && host !== "") {
      const route = this.#exact.get(host)?.find(path) ?? this.#findWildcard(host, path);
      if (route !== null) return route;
    }
    return this.#any.find(path);
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
