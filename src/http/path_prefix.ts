/** A prefix of paths, and which targets lie under it whoever reads them. */

import { canonicalPath, isReadDifferently, pathReadings, plainPath } from "./path_readings.ts";
import { nodesOf, PathNode } from "./path_tree.ts";

export class PathPrefix {
  readonly #prefix: string;
  readonly #escaped: boolean;
  readonly #root = new PathNode("", null, "");
  readonly #node: PathNode;

  /** @param path whole segments, beginning with "/"; a "/" at its end makes no difference */
  constructor(path: string) {
    const canonical = canonicalPath(path);
    this.#escaped = isReadDifferently(canonical);
    const prefix = canonical.endsWith("/") ? canonical.slice(0, -1) : canonical;
    this.#prefix = prefix;
    this.#node = prefix.split("/").slice(1).reduce((node, segment) => node.child(segment), this.#root);
  }

  /** Segments that it has. */
  get depth(): number {
    return this.#prefix === "" ? 0 : this.#prefix.split("/").length - 1;
  }

  /**
   * @param target origin form, query included, or "*"
   * @returns "ambiguous" when readers of its path could differ in that
   */
  has(target: string): boolean | "ambiguous" {
    if (target === "*") return false;
    const plain = this.#escaped ? null : plainPath(target);
    if (plain !== null) return this.#isUnder(plain);
    const texts = pathReadings(target);
    if (texts === null) return "ambiguous";
    let under: boolean | undefined;
    for (const text of texts) {
      const nodes = nodesOf(this.#root, text);
      if (nodes === null) return "ambiguous";
      for (const node of nodes) {
        const found = node === this.#node;
        if (under !== undefined && found !== under) return "ambiguous";
        under = found;
      }
    }
    return under ?? false;
  }

  #isUnder(path: string): boolean {
    const prefix = this.#prefix;
    return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === "/");
  }
}
