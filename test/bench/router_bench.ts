/**
 * What finding a route costs, by how many there are: `bun test/bench/router_bench.ts`. Nanoseconds per
 * request; a row that grows from left to right is a fault.
 */

import { hostKey, type RouteMatch, Router } from "../../src/gateway/router.ts";
import { leastNanos, printRow } from "./least_time.ts";

const SIZES = [1, 10, 100, 1000, 10_000];

interface Bench {
  /** Route `i` of the table. */
  route(i: number): RouteMatch;
  /** A request that route `i` is for. */
  request(i: number): readonly [host: string, path: string];
}

const BENCHES: Record<string, Bench> = {
  "by host": {
    route: (i) => ({ host: `shop${i}.example.com`, path: "/" }),
    request: (i) => [`shop${i}.example.com`, "/some/page"],
  },
  "by wildcard host": {
    route: (i) => ({ host: `*.tenant${i}.example.com`, path: "/" }),
    request: (i) => [`www.tenant${i}.example.com`, "/some/page"],
  },
  "by path under any host": {
    route: (i) => ({ host: null, path: `/service${i}/` }),
    request: (i) => ["www.example.com", `/service${i}/some/page`],
  },
  "by path under one host": {
    route: (i) => ({ host: "www.example.com", path: `/service${i}/` }),
    request: (i) => ["www.example.com", `/service${i}/some/page`],
  },
  "by path of eight segments": {
    route: (i) => ({ host: null, path: `/a/b/c/d/e/f/g/s${i}/` }),
    request: (i) => ["www.example.com", `/a/b/c/d/e/f/g/s${i}/some/page`],
  },
  "many hosts, only the path of any host fits": {
    route: (i) => i === 0 ? { host: null, path: "/" } : { host: `shop${i}.example.com`, path: "/api/" },
    request: (i) => [`shop${i}.example.com`, "/some/page"],
  },
};

function bench({ route, request }: Bench, size: number): number {
  const router = new Router(Array.from({ length: size }, (_, i) => route(i)));
  const requests = Array.from({ length: size }, (_, i) => request(i).join(" "));
  let i = 0;
  return leastNanos(() => {
    // Cut out of a longer text for each request, as from a head: nobody has computed their hashes yet.
    const text = requests[i++ % size] as string;
    const space = text.indexOf(" ");
    const [host, path] = [text.slice(0, space), text.slice(space + 1)];
    const found = router.find(hostKey(host), path);
    if (found === null) throw new Error(`${host}${path}: no route`);
    return found.path.length;
  });
}

printRow("routes", SIZES.map(String));
for (const [name, one] of Object.entries(BENCHES)) {
  printRow(name, SIZES.map((size) => bench(one, size)));
}
