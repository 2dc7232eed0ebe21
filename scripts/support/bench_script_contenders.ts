/**
 * Proxies whose decisions about requests come from a program: Sluice with its routes, handlers and scripts, nginx with
 * Lua and njs, HAProxy with Lua.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { SluiceCommand } from "./bench_candidate.ts";
import { HELLO_BODY } from "./bench_bodies.ts";
import {
  type Contender,
  haproxyConfig,
  NGINX_MODULES,
  nginxConfig,
  type Role,
  writeConfig,
} from "./bench_contender.ts";

/** The whole answer, as a literal of whatever language. */
export const BODY = JSON.stringify(HELLO_BODY);
/** What a script that changes requests, or responses, sets. */
const FIELDS = { "X-Arm": "beta", "X-Tenant": "garden", "X-Trace": "7f3c9a51" };
const FIELDS_TEXT = JSON.stringify(FIELDS);

/** Sluice with one route, in which `{file}` stands for the path of the script. */
interface Variant {
  /** Behind the name of the Sluice; "" = the plain one, which others are compared with. */
  readonly suffix: string;
  readonly route: string;
  /** Before the route, unless that names it. */
  readonly script?: string;
}

const ANSWERING: readonly Variant[] = [
  { suffix: "", route: `respond: ${BODY}` },
  {
    suffix: "-handle",
    route: "handle: {file}",
    script:
      `import { respond } from "sluice";\nconst answer = respond(200, ${BODY});\nexport default () => answer;\n`,
  },
  {
    suffix: "-object",
    route: "handle: {file}",
    script:
      `export default () => ({ code: 200, headers: { "Content-Length": "${HELLO_BODY.length}" }, body: ${BODY} });\n`,
  },
];

const FORWARDING = "to: app";
const CONSTANT = `import { to } from "sluice";\nconst decision = to("app", { headers: ${FIELDS_TEXT} });\n`;

const DECIDING: readonly Variant[] = [
  { suffix: "", route: FORWARDING },
  { suffix: "-nothing", route: FORWARDING, script: "export const onRequest = () => undefined;\n" },
  {
    suffix: "-to",
    route: FORWARDING,
    script: `${CONSTANT}export const onRequest = () => decision;\n`,
  },
  {
    suffix: "-async",
    route: FORWARDING,
    script: `${CONSTANT}export const onRequest = async () => {\n  await null;\n  return decision;\n};\n`,
  },
  {
    suffix: "-response",
    route: FORWARDING,
    script: `import { pass } from "sluice";\nconst edits = pass({ headers: ${FIELDS_TEXT} });\n` +
      "export const onResponse = () => edits;\n",
  },
];

function sluiceVariant(sluice: SluiceCommand, sockets: string, part: string, variant: Variant): Contender {
  const name = `${sluice.name}${variant.suffix}`;
  return {
    name,
    kind: "subject",
    launch: ({ port, origin, folder }) => {
      const { script, route } = variant;
      const base = `${part}-${name}-${port}`;
      const file = script === undefined ? "" : writeConfig(folder, `${base}.ts`, script);
      const forwards = route === FORWARDING;
      const lines = [
        `listen: 127.0.0.1:${port}`,
        `sockets: ${sockets}`,
        "workers: 1",
        ...(forwards && script !== undefined ? [`script: ${file}`] : []),
        ...(forwards ? [`upstreams: {app: {endpoints: ["${origin}"]}}`] : []),
        `routes: [{${route.replaceAll("{file}", file)}}]`,
      ];
      const config = writeConfig(folder, `${base}.yaml`, lines.join("\n") + "\n");
      return { command: ["sh", "-c", `exec ${sluice.command} --config ${config}`] };
    },
  };
}

/** nginx, and what its configuration needs beyond `nginxConfig`. */
export function nginxVariant(
  name: string,
  module: string | null,
  location: string,
  more: (role: Role) => { readonly modules?: string; readonly http?: string } = () => ({}),
): Contender {
  return {
    name,
    kind: "peer",
    program: "nginx",
    missing: () =>
      module === null || existsSync(`${NGINX_MODULES}/${module}`) ? null : `${module} is not installed`,
    launch: (role) => ({ command: nginxConfig(role, name, { location, ...more(role) }) }),
  };
}

export const LUA = "ngx_http_lua_module.so";
export const NJS = "ngx_http_js_module.so";
/** Lua's module wants another one before itself. */
export const lua = (): { modules: string } => ({
  modules: `load_module ${NGINX_MODULES}/ndk_http_module.so; load_module ${NGINX_MODULES}/${LUA};`,
});

/** @param text of a module in njs */
export function njs(text: string, more = ""): (role: Role) => { modules: string; http: string } {
  return ({ folder, port }) => {
    const file = writeConfig(folder, `nginx-njs-${port}.js`, text);
    return { modules: `load_module ${NGINX_MODULES}/${NJS};`, http: `js_import app from ${file}; ${more}` };
  };
}

const PROXIED = "proxy_pass http://pool;";
const names = Object.entries(FIELDS);

export const SCRIPT_PEERS: readonly Contender[] = [
  nginxVariant("nginx", null, PROXIED),
  nginxVariant(
    "nginx-lua",
    LUA,
    `access_by_lua_block { ${
      names.map(([field, value]) => `ngx.req.set_header("${field}", "${value}")`).join(" ")
    } } ${PROXIED}`,
    lua,
  ),
  nginxVariant(
    "nginx-njs",
    NJS,
    names.map(([field], i) => `proxy_set_header ${field} $njs_${i};`).join(" ") + PROXIED,
    njs(
      `export default { ${names.map(([, value], i) => `f${i}: () => "${value}"`).join(", ")} };\n`,
      names.map((_, i) => `js_set $njs_${i} app.f${i};`).join(" "),
    ),
  ),
  { name: "haproxy", kind: "peer", program: "haproxy", launch: (role) => haproxyConfig(role, "haproxy") },
  {
    name: "haproxy-lua",
    kind: "peer",
    program: "haproxy",
    missing: () => haproxyHasLua() ? null : "haproxy was built without Lua",
    launch: (role) => {
      const file = writeConfig(
        role.folder,
        `haproxy-${role.port}.lua`,
        `core.register_action("mark", { "http-req" }, function(txn)\n${
          names.map(([field, value]) => `  txn.http:req_set_header("${field}", "${value}")\n`).join("")
        }end)\n`,
      );
      const parts = { global: `lua-load ${file}`, frontend: "http-request lua.mark" };
      return haproxyConfig(role, "haproxy-lua", parts);
    },
  },
];

function haproxyHasLua(): boolean {
  return /\+LUA\b/.test(spawnSync("haproxy", ["-vv"], { encoding: "utf8" }).stdout ?? "");
}

export const answeringSluices = (sluice: SluiceCommand, sockets: string): Contender[] =>
  ANSWERING.map((variant) => sluiceVariant(sluice, sockets, "answer", variant));

export const decidingSluices = (sluice: SluiceCommand, sockets: string): Contender[] =>
  DECIDING.map((variant) => sluiceVariant(sluice, sockets, "script", variant));
