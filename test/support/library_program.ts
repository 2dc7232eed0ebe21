/**
 * A program that uses the library: opens two gates, one before the other, asks through both, closes them, and ends when nothing
 * keeps it any more. Prints one line of JSON and nothing else. The first argument is what `options.sockets` says.
 */

import process from "node:process";
import type { Library } from "../../src/api/library.ts";

const runtime = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";
const { open }: Library = await import(`../../runtime/api_${runtime}.ts`);

const options = { sockets: process.argv[2] ?? "native", hold: "1s" };
const inner = await open({
  listen: "127.0.0.1:0",
  routes: [{ respond: { status: 200, body: "inner" } }],
  options,
});
const outer = await open({
  listen: "127.0.0.1:0",
  upstreams: { app: { endpoints: [inner.port] } },
  options,
});
const ask = async () => await (await fetch(`http://127.0.0.1:${outer.port}/`)).text();
const answers = [await ask()];
await outer.pause("app");
const held = ask();
while (outer.status().upstreams[0]?.waiting !== 1) await new Promise((done) => setTimeout(done, 5));
await outer.resume("app");
answers.push(await held);
await Promise.all([outer.close(), inner.close(0)]);
let refused = false;
await ask().catch(() => (refused = true));
console.log(JSON.stringify({ answers, refused }));
