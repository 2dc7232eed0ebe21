/**
 * Where a path leads among the prefixes of routes, for all who may read it.
 *
 * Servers differ in what they do to a path, in which order, and some do it to one place and not to another:
 *
 * - "." and ".." are resolved, or are names (RFC 3986 §5.2.4)
 * - empty segments are left out (nginx, most file systems), or are segments that ".." takes away (RFC 3986, WHATWG URL)
 * - ";" begins parameters that are no part of the name, up to the next slash (Tomcat, Jetty), or ends the path; before
 *   or after escapes are decoded; or it is a character like others
 * - `%2F`, `%5C` separate segments (CGI, PHP, IIS), or are characters of a name
 * - what follows "//" at the root is a host, up to the next slash (RFC 3986 §4.2; `new URL(path, base)`), or is a segment;
 *   before or after escapes are decoded and dots resolved
 * - `%3F`, `%23` end the path (who decodes before the query is cut off), or are characters of a name
 * - other escapes are decoded, or compared as they are
 *
 * Comparing a list of whole readings leaves out some combination. So each place is read in every way, apart from the
 * others, and the places among the routes are kept that can be reached. That is more than any one server reaches, so
 * nothing is missed; it refuses more only where such places are crowded around the prefixes of routes.
 */

import { decodedSegment } from "./path_readings.ts";

/** A prefix of whole segments that some route has, or the beginning of one. */
export class PathNode {
  /** Canonical and without "/" at its end; "" is the root. */
  readonly path: string;
  readonly parent: PathNode | null;
  /** The last segment as those see it who decode. */
  readonly name: string;
  /** By their last segments, canonical. */
  readonly children = new Map<string, PathNode>();
  /** By their names. Two that are spelled differently can have one name; then the first is here. */
  readonly named = new Map<string, PathNode>();

  constructor(path: string, parent: PathNode | null, name: string) {
    this.path = path;
    this.parent = parent;
    this.name = name;
  }

  child(segment: string): PathNode {
    let child = this.children.get(segment);
    if (child === undefined) {
      child = new PathNode(`${this.path}/${segment}`, this, decodedSegment(segment));
      this.children.set(segment, child);
      if (!this.named.has(child.name)) this.named.set(child.name, child);
    }
    return child;
  }
}

/** In a set of depths: no segment below the node, so its children come next. */
const AT_NODE = 1;
/** In a set of depths: 30 segments below the node, or more. */
const DEEP = 1 << 30;

/**
 * For each node that can have been reached: how many segments below it, which no route has. Bit n stands for n
 * segments. Small, since a path reaches nodes only by their names.
 */
type Places = Map<PathNode, number>;

/**
 * Places looked at for one text; a path that needs more counts as ambiguous. A thousand take about 0.2 ms; paths of
 * users have fewer segments than a hundred.
 */
const MAX_STEPS = 1000;

/** Characters that can be slashes. */
const SEPARATOR = /%2F|%5C/;

/** Characters that can end a name within a segment. */
const NAME_END = /;|%3B|%3F|%23/;

/**
 * All nodes that the readings of one text end at or below.
 *
 * @param text canonical path (`pathReadings`)
 * @returns null when they are too many
 */
export function nodesOf(root: PathNode, text: string): Iterable<PathNode> | null {
  const ends: Places = new Map();
  let places: Places = new Map([[root, AT_NODE]]);
  const walk: Walk = { root, ends, hostNext: false };
  let from = 1;
  let steps = 0;
  while (from <= text.length) {
    const slash = text.indexOf("/", from);
    const to = slash < 0 ? text.length : slash;
    const parts = text.slice(from, to).split(SEPARATOR);
    steps += parts.length * (places.size + ends.size);
    if (steps > MAX_STEPS) return null;
    places = afterSegment(parts, places, walk);
    from = to + 1;
  }
  addAll(ends, places);
  return ends.keys();
}

interface Walk {
  readonly root: PathNode;
  /** Places where something ends the whole path. */
  readonly ends: Places;
  /** What comes next may be a host: slashes at the root came before. */
  hostNext: boolean;
}

/**
 * The places after what stands between two slashes.
 *
 * @param parts of the segment, between the characters that may be slashes
 */
function afterSegment(parts: readonly string[], before: Places, walk: Walk): Places {
  const { root, ends } = walk;
  let places = before;
  /** After parts whose separator is none: for all that may still follow in the segment. */
  const joined: Places = new Map();
  for (const [index, part] of parts.entries()) {
    const after: Places = new Map(joined);
    const end = part.search(NAME_END);
    if (walk.hostNext && part !== "") {
      add(after, root, AT_NODE);
      add(joined, root, AT_NODE);
      if (end >= 0) add(ends, root, AT_NODE);
    }
    walk.hostNext = part === "" && ((places.get(root) ?? 0) & AT_NODE) !== 0;
    if (end < 0) {
      enter(part, places, after);
    } else {
      const name = part.slice(0, end);
      const cut: Places = new Map();
      enter(name, places, cut);
      addBelow(cut, places);
      addAll(ends, cut);
      if (/;|%3B/.test(part)) addAll(after, cut);
      else addBelow(after, places);
      if (index < parts.length - 1) addAll(joined, cut);
    }
    if (index < parts.length - 1) addBelow(joined, places);
    places = after;
  }
  return places;
}

/** Adds the places that a segment leads to from `before`: by its name, or by what it means. */
function enter(segment: string, before: Places, after: Places): void {
  switch (segment) {
    case "":
    case ".":
      addAll(after, before);
      addBelow(after, before);
      return;
    case "..":
      addAbove(after, before);
      addBelow(after, before);
      return;
  }
  const name = segment.includes("%") ? decodedSegment(segment) : segment;
  for (const [node, depths] of before) {
    const below = depths & ~AT_NODE;
    if (below !== 0) add(after, node, deeper(below));
    if ((depths & AT_NODE) === 0) continue;
    const spelled = node.children.get(segment);
    const decoded = spelled?.name === name ? spelled : node.named.get(name);
    for (const child of [spelled, decoded]) {
      if (child === undefined) add(after, node, deeper(AT_NODE));
      else add(after, child, AT_NODE);
    }
  }
}

function add(places: Places, node: PathNode, depths: number): void {
  places.set(node, (places.get(node) ?? 0) | depths);
}

function addAll(places: Places, others: Places): void {
  for (const [node, depths] of others) add(places, node, depths);
}

/** Adds those one segment further down, which no route has. */
function addBelow(places: Places, others: Places): void {
  for (const [node, depths] of others) add(places, node, deeper(depths));
}

/** Adds those one segment further up; nothing is above the root. */
function addAbove(places: Places, others: Places): void {
  for (const [node, depths] of others) {
    const below = depths & ~AT_NODE;
    if (below !== 0) add(places, node, (below >>> 1) | (below & DEEP));
    if (below !== depths) add(places, node.parent ?? node, AT_NODE);
  }
}

function deeper(depths: number): number {
  return ((depths << 1) & (2 * DEEP - 1)) | (depths & DEEP);
}
