/** Servers that answer by themselves: nginx, the servers of the runtimes, of Go, and Sluice as a library. */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { HELLO_BODY } from "./bench_bodies.ts";
import { type Contender, writeConfig } from "./bench_contender.ts";
import { BODY, LUA, lua, nginxVariant, NJS, njs } from "./bench_script_contenders.ts";
import { root, tool } from "./child.ts";

/** How each runtime is told to run a file. */
const RUNTIMES = { bun: [], deno: ["run", "-A", "--no-config"], node: [] } as const;
type RuntimeName = keyof typeof RUNTIMES;

const FETCH_ANSWER = `() => new Response(${BODY}, { headers: { "Content-Type": "text/plain" } })`;

/** The server that each runtime has. */
const SERVERS: Readonly<Record<RuntimeName, (port: number) => string>> = {
  bun: (port) => `Bun.serve({ hostname: "127.0.0.1", port: ${port}, fetch: ${FETCH_ANSWER} });\n`,
  deno: (port) => `Deno.serve({ hostname: "127.0.0.1", port: ${port}, onListen() {} }, ${FETCH_ANSWER});\n`,
  node: (port) =>
    `import { createServer } from "node:http";
const fields = { "Content-Type": "text/plain", "Content-Length": ${HELLO_BODY.length} };
createServer((_, answer) => answer.writeHead(200, fields).end(${BODY})).listen(${port}, "127.0.0.1", 4096);
`,
};

function runtimeServer(name: RuntimeName): Contender {
  return {
    name,
    kind: "peer",
    launch: ({ port, folder }) => {
      const file = writeConfig(folder, `answer-${name}-${port}.mjs`, SERVERS[name](port));
      return { command: [tool(name), ...RUNTIMES[name], file] };
    },
  };
}

/** Its errors are ours, so that it is no peer, although it is left out like one. */
function librarySluice(name: RuntimeName): Contender {
  return {
    name: `library-${name}`,
    kind: "subject",
    launch: ({ port, folder }) => {
      const text = `import { serve_http } from ${JSON.stringify(join(root, `runtime/api_${name}.ts`))};
const headers = { "Content-Length": "${HELLO_BODY.length}" };
await serve_http("127.0.0.1:${port}", () => ({ code: 200, headers, body: ${BODY} }));
`;
      const file = writeConfig(folder, `library-${name}-${port}.mjs`, text);
      return { command: [tool(name), ...RUNTIMES[name], file] };
    },
  };
}

const GO_PROGRAM = `package main

import (
	"net/http"
	"os"
)

func main() {
	body := []byte(${BODY})
	answer := func(to http.ResponseWriter, _ *http.Request) {
		to.Header().Set("Content-Type", "text/plain")
		to.Header().Set("Content-Length", "${HELLO_BODY.length}")
		to.Write(body)
	}
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(answer)))
}
`;

/** Built when it is first wanted: of what Go has with it, so that nothing is fetched. */
const go: Contender = {
  name: "go",
  kind: "peer",
  program: "go",
  launch: ({ port, folder }) => {
    const program = join(folder, "hello-go");
    if (!existsSync(program)) {
      const source = writeConfig(folder, "hello.go", GO_PROGRAM);
      const env = {
        ...process.env,
        GO111MODULE: "off",
        GOPATH: join(folder, "go"),
        GOCACHE: join(folder, "go-cache"),
      };
      const built = spawnSync("go", ["build", "-o", program, source], { env, encoding: "utf8" });
      if (built.status !== 0) throw new Error(`go build: ${built.stderr}`);
    }
    return { command: [program, String(port)], env: { GOMAXPROCS: "1" } };
  },
};

export const ANSWER_PEERS: readonly Contender[] = [
  nginxVariant("nginx", null, `return 200 ${BODY};`),
  nginxVariant(
    "nginx-lua",
    LUA,
    `content_by_lua_block { ngx.header["Content-Length"] = ${HELLO_BODY.length} ngx.print(${BODY}) }`,
    lua,
  ),
  nginxVariant(
    "nginx-njs",
    NJS,
    "js_content app.answer;",
    njs(`export default { answer: (r) => r.return(200, ${BODY}) };\n`),
  ),
  go,
  runtimeServer("bun"),
  runtimeServer("deno"),
  runtimeServer("node"),
  librarySluice("bun"),
  librarySluice("deno"),
  librarySluice("node"),
];
