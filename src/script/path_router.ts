/** Handlers by path: `router({ "/users/:id": …, "/api/": …, "GET /x": … })`. */

import { shown } from "../answer/field_values.ts";
import { ScriptError } from "../answer/script_error.ts";
import { PathPrefix } from "../http/path_prefix.ts";
import { AmbiguousPath, RequestView } from "./request_view.ts";
import type { Answer, HttpRequest, RequestHandler } from "./script_types.ts";

interface Entry {
  readonly method: string | null;
  /** Segments; ":name" takes any one, "*" at the end takes the rest. Null = a prefix of whole segments. */
  readonly segments: readonly string[] | null;
  readonly prefix: PathPrefix | null;
  readonly handler: RequestHandler;
}

/**
 * The first entry that fits, from the most particular to the least: literal segments before ":name" before a prefix ("/api/"), longer before
 * shorter, with a method before without.
 *
 * @param routes by `[METHOD ]PATH`: segments with `:name` (in `request.params`, decoded), or a prefix that ends with "/"
 * @param otherwise for everything else; default: 404
 * @throws ScriptError
 */
export function router(
  routes: Readonly<Record<string, RequestHandler>>,
  otherwise: RequestHandler = () => ({ status: 404, body: "404 Not Found\n" }),
): RequestHandler {
  if (typeof routes !== "object" || routes === null) {
    throw new ScriptError(`router: ${shown(routes)}: an object is needed`);
  }
  const entries = Object.entries(routes).map(([pattern, handler]) => entryOf(pattern, handler)).sort(byRank);
  return (request): Answer | Promise<Answer> => {
    const { path, method } = request;
    let allowed = false;
    for (const entry of entries) {
      const params = match(entry, request, path);
      if (params === null) continue;
      if (
        entry.method !== null && entry.method !== method && !(entry.method === "GET" && method === "HEAD")
      ) {
        allowed = true;
        continue;
      }
      if (request instanceof RequestView) request.params = params;
      return entry.handler(request);
    }
    return allowed ? { status: 405, body: "405 Method Not Allowed\n" } : otherwise(request);
  };
}

/** @throws ScriptError */
function entryOf(pattern: string, handler: unknown): Entry {
  const parts = /^(?:([A-Z]+) )?(\/\S*)$/.exec(pattern);
  if (parts === null) {
    throw new ScriptError(
      `router: ${shown(pattern)}: a path is needed, from "/" on, after a method or alone`,
    );
  }
  if (typeof handler !== "function") {
    throw new ScriptError(`router: ${pattern}: ${shown(handler)} is no handler`);
  }
  const [, method = null, path = "/"] = parts;
  // The cast: what it returns is checked whenever it is called.
  const entry = { method, handler: handler as RequestHandler };
  if (path.endsWith("/") && path !== "/" && !path.includes("/:")) {
    return { ...entry, segments: null, prefix: new PathPrefix(path) };
  }
  return { ...entry, segments: path.split("/").slice(1), prefix: null };
}

/** @returns what the names in its pattern stand for; null when it does not fit. @throws AmbiguousPath */
function match(entry: Entry, request: HttpRequest, path: string): Readonly<Record<string, string>> | null {
  const { segments, prefix } = entry;
  if (prefix !== null) {
    const has = prefix.has(request.uri);
    if (has === "ambiguous") throw new AmbiguousPath("the path can be read in two ways");
    return has ? {} : null;
  }
  if (segments === null) return null;
  const given = path.split("/").slice(1);
  const takesRest = segments.at(-1) === "*";
  if (takesRest ? given.length < segments.length : given.length !== segments.length) return null;
  const params: Record<string, string> = {};
  for (const [at, segment] of segments.entries()) {
    if (takesRest && at === segments.length - 1) params["*"] = decoded(given.slice(at).join("/"));
    else if (segment.startsWith(":")) params[segment.slice(1)] = decoded(given[at] ?? "");
    else if (segment !== given[at]) return null;
  }
  return params;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function byRank(a: Entry, b: Entry): number {
  const rank = ({ segments }: Entry) =>
    segments === null ? 2 : segments.some((each) => each.startsWith(":") || each === "*") ? 1 : 0;
  const length = ({ segments, prefix }: Entry) => segments?.length ?? prefix?.depth ?? 0;
  return rank(a) - rank(b) || length(b) - length(a) || Number(a.method === null) - Number(b.method === null);
}
