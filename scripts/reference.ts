/**
 * Writes `docs/reference.md` out of the tables that the program itself uses: options, commands, exit codes,
 * reason codes, keys of the access log. A test fails when the file is not what this writes.
 *
 *     bun scripts/reference.ts            write the file
 *     bun scripts/reference.ts --check    exit 1 when it is out of date
 */

import { readFileSync, writeFileSync } from "node:fs";
import { CREDENTIAL_KEYS } from "../src/config/file/credentials.ts";
import { CONTROL_REFERENCE, REFUSAL_MEANINGS } from "../src/admin/control_reference.ts";
import { REFUSALS } from "../src/admin/refusal_table.ts";
import { METRICS } from "../src/admin/metric_table.ts";
import { COMMANDS } from "../src/cli/commands.ts";
import { EXIT_MEANINGS } from "../src/process/shared/exit_code.ts";
import { commandDoc, optionDoc } from "../src/cli/reference/help.ts";
import { envName, flagName, GROUPS } from "../src/config/options/option.ts";
import { OPTION_PATHS, optionAt, type OptionPath, shortPath } from "../src/config/options/options.ts";
import { EVENT_NAMES } from "../src/control/event.ts";
import type { RefusalCode } from "../src/control/plane.ts";
import { FORMER_WORDS, FORMER_WORDS_END } from "../src/observe/former_words.ts";
import { reason, REASON_CODES } from "../src/exchange/reason.ts";
import { JSON_KEYS, OCCASIONAL_JSON_KEYS } from "../src/observe/access_log_format.ts";

export const referenceFile = new URL("../docs/reference.md", import.meta.url);

const INTRODUCTION = `# Reference

Written by \`scripts/reference.ts\` from the tables that the program uses. Do not edit.

Every option has one name. In the YAML file it is a key (\`queue: {size: 100}\` for \`queue.size\`), on the
command line a flag (\`--queue-size 100\` or \`--queue-size=100\`), in the environment a variable
(\`SLUICE_QUEUE_SIZE=100\`). A flag wins over the environment, the environment over the file, the file over the
default. An empty variable counts as not set. Unknown names are errors. Variables with which Kubernetes describes
a Service (\`SLUICE_SERVICE_HOST\`, \`SLUICE_PORT=tcp://...\` and so on for one named \`sluice\`) and Docker a link are
not options, whatever they are named for.

## Values

| type | how it is written |
|---|---|
| duration | \`250ms\`, \`30s\`, \`5m\`, \`1h\`, \`1d\`, or \`0\`; other numbers need their unit |
| size | \`512B\`, \`64KiB\`, \`1MiB\`, \`10MB\`, or \`0\`; \`KiB\` is 1,024 bytes, \`KB\` 1,000 |
| count | a whole number in decimal |
| boolean | \`true\` or \`false\`; as flags \`--name\` and \`--no-name\` |
| path | path of a file; a relative one starts at the working directory |
| address | \`3000\`, \`:3000\`, \`host:3000\`, \`[::1]:3000\`, \`http://host[:80]\`, \`https://host[:443]\`, or \`unix:/path\` |
| list | a YAML list, text with commas, or a flag given several times |

To send requests to \`3000\` or \`:3000\` means 127.0.0.1; to listen there means all IPv4 interfaces.
`;

const STRUCTURE = `## Upstreams and routes

Only in the file. An **upstream** is a named set of endpoints; a **route** says which requests go to which.

\`\`\`yaml
listen: ":8080"
hold: 30s                       # default for every upstream
upstreams:
  app:
    endpoints: [3000, {address: 127.0.0.1:3001, weight: 2}]
    policy: least_conn
    max_in_flight: 1
  api: 4000                     # short for {endpoints: [4000]}
routes:
  - match: {host: example.com, path: /api/}
    to: api
    retry: unanswered
  - match: {path: /robots.txt}
    respond: "User-agent: *\\nDisallow: /\\n"
  - to: app
\`\`\`

| key | value |
|---|---|
| \`upstreams.NAME\` | a name of letters, digits, \`-\` and \`_\`, beginning with a letter |
| \`upstreams.NAME.endpoints\` | addresses, or \`{address, weight}\` with a weight of 1 to 1000 |
| \`upstreams.NAME.OPTION\` | any option marked "per upstream" below; without it the value of the top level holds |
| \`routes[].match.host\` | host name without port, \`*.example.com\` for all names below, or a list; without it any host |
| \`routes[].match.path\` | beginning of the path in whole segments (\`/api\` and \`/api/\` match \`/api\` and \`/api/x\`, not \`/apix\`), or a list; without it any path. \`/café\` and \`/caf%c3%a9\` are the same |
| \`routes[].to\` | name of an upstream, or addresses |
| \`routes[].respond\` | text of the answer, or \`{status, body, headers}\`; \`{status: 301, headers: {Location: https://example.com/}}\` is a redirect |
| \`routes[].retry\` | like the option \`retry\`, for this route only |

The most specific route wins: an exact host before a wildcard (the longest first) before any host, then the
longest path. Without \`routes\` there may be one upstream, which gets everything. What no route matches is answered
with 404.

Where paths decide, a request is answered with 400 when some server could read its path as one of another route: by
resolving \`..\`, merging \`//\`, dropping \`;parameters\`, decoding \`%2F\`, \`%5C\`, \`%3F\` or overlong UTF-8, decoding twice, or taking
\`//name\` for a host. What stays within one route is forwarded as it came. Letters have to match in case, and escapes of
unreserved characters are decoded: whether \`/Admin\` is \`/admin\` too, the routes have to say.
`;

const CREDENTIALS = `## Credentials

Only in the file: who Sluice itself is towards origins and parent proxies. \`credential: NAME\` at an upstream, at a parent, or
in \`forward.credentials\` says where one is sent; it is sent nowhere else.

\`\`\`yaml
credentials:
  corp:
    scheme: [ntlm, digest]
    user: svc
    domain: CORP
    password_file: /etc/sluice/corp.password
  api:
    scheme: bearer
    token_command: [gcloud, auth, print-access-token]
upstreams:
  wiki:
    endpoints: https://wiki.corp.example
    credential: corp
  api:
    endpoints: https://api.example
    credential: api
routes:
  - {match: {host: wiki.example}, to: wiki}
  - {to: api}
forward:
  listen: 3128
  parents:
    - {url: "https://proxy.corp.example:3129", credential: corp}
\`\`\`
`;

const CREDENTIAL_RULES =
  `A request that has an Authorization of its own is sent with that and nothing else. Basic and Bearer are sent at once where they
are the only scheme; otherwise the challenge (401, of a parent 407) is answered by sending the request again, with a body
of up to \`request_buffer\`: a larger one is gone by then, and the challenge is the client's. Digest knows SHA-256, MD5 and
their \`-sess\` forms with \`qop=auth\`; each worker is challenged for itself, and counts the nonces that it is given (\`nc\`) with client
nonces of its own. A server that gives one nonce to several workers and compares the counts has to say \`stale=true\`, as
RFC 7616 §3.3 wants it: then its next nonce is taken. NTLM is version 2. A connection that NTLM or Negotiate has authenticated serves only
requests that are sent with the same credential.

A credential that an origin does not accept is answered by its 401. One that a parent does not accept is answered by 502
(\`proxy_configuration_error\`), and that parent gets no request with it for 30 s, or until the password file has changed: others in
\`forward.parents\` stand in for it meanwhile. Password and token files are read again when a credential was rejected, token files
also once a second while they are used. Secrets are never logged, printed or shown.
`;

const CONTROL = `## Control socket

HTTP/1.1 and JSON over the Unix socket of \`--control\`: what the verbs ask, any program can.

\`\`\`sh
curl --unix-socket "$XDG_RUNTIME_DIR/sluice-8080.sock" http://sluice/status
curl --unix-socket "$XDG_RUNTIME_DIR/sluice-8080.sock" -d '{"upstream": "app", "lease_ms": 60000}' http://sluice/pause
\`\`\`

Objects are answered with 200. Every member may be left out but those with a star; an \`upstream\` that is left out is
all of them, or the only one. Durations are milliseconds. Who leaves while it waits for a pause has not paused.
A pause belongs to who asked for it: its \`token\` renews and ends it, a \`resume\` without a token ends those whose
\`owner\` is operator (the default), and requests are held until the last of them has ended. The
status is described in [\`src/process/worker/status.ts\`](../src/process/worker/status.ts), the events in
[\`src/control/event.ts\`](../src/control/event.ts), the explanation in
[\`src/serve/explain/explanation.ts\`](../src/serve/explain/explanation.ts). Within a major version members are added, never renamed.
`;

/** The whole file. */
export function renderReference(): string {
  return [
    INTRODUCTION,
    STRUCTURE,
    CREDENTIALS,
    table(
      ["key", "value"],
      CREDENTIAL_KEYS.map(([key, meaning]) => [`\`credentials.NAME.${key}\``, meaning]),
    ),
    CREDENTIAL_RULES,
    "## Options\n",
    ...GROUPS.map((group) =>
      [
        `### ${group}\n`,
        ...OPTION_PATHS.filter((path) => optionAt(path).group === group).map(renderOption),
      ].join("\n")
    ),
    "## Commands\n",
    ...COMMANDS.map((command) =>
      [
        `### \`sluice ${command.usage}\`\n`,
        `${commandDoc(command)}\n`,
        ...command.flags.map((flag) =>
          `- ${flag.short === undefined ? "" : `\`-${flag.short}\`, `}\`--${flag.name}${
            flag.value === null ? "" : ` ${flag.value}`
          }\`: ${flag.help}\n`
        ),
      ].join("\n")
    ),
    CONTROL,
    table(
      ["request", "members sent", "members answered"],
      CONTROL_REFERENCE.map(({ request, sent, told }) => [`\`${request}\``, sent, told]),
    ),
    'A refusal is `{"error": CODE, "message": TEXT}`, with a list of texts in `problems` when there are several. A path\n' +
    "that there is not is `not_found` (404), another method than that of the table `method_not_allowed` (405).\n",
    table(
      ["error", "status", "exit code of the verb", "meaning"],
      Object.entries(REFUSALS).map(([code, { status, exit }]) => [
        `\`${code}\``,
        String(status),
        String(exit),
        REFUSAL_MEANINGS[code as RefusalCode],
      ]),
    ),
    "Events have `event`, `time`, and what belongs to them. There are " +
    `${EVENT_NAMES.map((name) => `\`${name}\``).join(", ")}.\n`,
    "## Former words\n",
    "An endpoint is `up`, `probing` (it can be reached again and has not answered yet) or `down`. These words were others\n" +
    `before. Until ${FORMER_WORDS_END} the former one is told beside the new one (\`state_alias\` in status, \`alias\` in the log,\n` +
    "`away_ms` in events), and is understood where a word is read.\n",
    table(
      ["where", "word", "before"],
      FORMER_WORDS.map(([where, word, former]) => [where, `\`${word}\``, `\`${former}\``]),
    ),
    table(["code", "meaning"], EXIT_MEANINGS.map(([code, meaning]) => [String(code), meaning])),
    "## Reason codes\n",
    "Every request that fails has one. It is in the `Proxy-Status` field of the answer, in the access log and in the\n" +
    "metrics. A star marks names registered by RFC 9209. Status `-`: nobody was left to answer. The platform's own words for\n" +
    "an error are in the logs, the events and the status only, never in an answer.\n",
    table(
      ["code", "status", "side", "meaning"],
      REASON_CODES.map((code) => {
        const { status, side, registered, sentence } = reason(code);
        return [`\`${code}\`${registered ? " *" : ""}`, status === 0 ? "-" : String(status), side, sentence];
      }),
    ),
    "## Metrics\n",
    "What `/metrics` of the admin listener answers (`admin`), in the text format of Prometheus. Counters and histograms go\n" +
    "on over reloads and over the end of a worker; a name that a reload takes away takes its metrics along. Label\n" +
    "`code` is the class of the status, `2xx`, or `none` where no status was sent.\n",
    table(
      ["metric", "type", "labels", "meaning"],
      METRICS.map(({ name, type, labels, help }) => [
        `\`${name}\``,
        type,
        labels.map((label) => `\`${label}\``).join(", "),
        help,
      ]),
    ),
    "## Access log\n",
    "With `access_log: json` every line is one JSON object with all of these keys, in this order. Where there is something to say " +
    "it also has `user` (of the forward proxy, behind `scheme`) and `credential` (of ours, that it was sent with, before `attempts`).\n",
    table(["key", "meaning"], JSON_KEYS.map(([key, meaning]) => [`\`${key}\``, meaning])),
    "Only where there is something to tell:",
    table(["key", "meaning"], OCCASIONAL_JSON_KEYS.map(([key, meaning]) => [`\`${key}\``, meaning])),
  ].join("\n");
}

function renderOption(path: OptionPath): string {
  const option = optionAt(path);
  const { type } = option;
  const places = option.outsideFile === true
    ? "not in the file"
    : option.scope === "upstream"
    ? "top level or per upstream"
    : "top level";
  const shown = option.default === null ? "none" : option.default === "" ? "empty" : `\`${option.default}\``;
  const short = shortPath(path);
  const bare = option.bare === undefined ? "" : ` (alone: \`${option.bare}\`)`;
  return [
    `#### \`${path}\`\n`,
    `${optionDoc(path)}\n`,
    `- must be ${type.accepts}`,
    `- default: ${shown}`,
    `- flag \`${flagName(short)}\`${bare}, variable \`${envName(short)}\`${
      short === path ? "" : `, short key \`${short}\``
    }; ${places}`,
    `- example: \`${option.outsideFile === true ? `${flagName(path)} ` : `${path}: `}${option.example}\`\n`,
  ].join("\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return line(head) + line(head.map(() => "---")) + rows.map(line).join("");
}

if (import.meta.main) {
  const text = renderReference();
  if (!process.argv.includes("--check")) {
    writeFileSync(referenceFile, text);
  } else if (readFileSync(referenceFile, "utf8") !== text) {
    console.error("docs/reference.md is out of date: run bun scripts/reference.ts");
    process.exit(1);
  }
}
