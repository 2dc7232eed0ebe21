/** The requests of a case: valid ones in all framings, surely malformed ones, and ones altered at random. */

import { bytesOf, contentOf, hashOf, joined } from "./content.ts";
import type { Random } from "./random.ts";

/**
 * - `valid`: Sluice has to take it
 * - `bad_head`, `bad_body`: surely malformed there; a bad head must not reach an origin at all, a bad
 *   body must not be seen as complete
 * - `wild`: altered at random; nothing is known about it or what follows on its connection
 */
export type RequestSort = "valid" | "bad_head" | "bad_body" | "wild";

export interface PlannedRequest {
  readonly id: string;
  readonly sort: RequestSort;
  readonly method: string;
  readonly target: string;
  readonly minor: 0 | 1;
  /** Content bytes. */
  readonly bodyBytes: number;
  readonly bytes: Uint8Array;
  /** Bytes of the head. */
  readonly headBytes: number;
  readonly expects: boolean;
  /** Host as the origin has to see it, "" when the client's goes on or the route decides. */
  readonly authority: string;
  /** Who asks may not, or not go there: no origin and no destination may see anything of it. */
  readonly barred: boolean;
  /** What the client sends through the tunnel that it asks for by CONNECT; null for other requests. */
  readonly tunnel: Uint8Array | null;
  /** It sends that without waiting for the answer. */
  readonly early: boolean;
  /** Sec-WebSocket-Key, "" when no switch is asked for. */
  readonly key: string;
  /** The client ends after this request. */
  readonly last: boolean;
  readonly idempotencyKey: boolean;
  /** It comes after a malformed one on its connection: nobody may read on that far. */
  readonly forbidden: boolean;
  /** The client's socket has taken all of it. */
  sent: boolean;
  /** Heads and complete messages with this id that origins have seen. */
  starts: number;
  completes: number;
}

export interface RequestWishes {
  readonly sort: RequestSort;
  /** Most content bytes. */
  readonly most: number;
  /** Only requests that may be repeated. */
  readonly repeatable: boolean;
  /** It is the last of its connection, so it may end it. */
  readonly last: boolean;
  readonly forbidden: boolean;
  /** What a forward proxy may be asked for; null = it is none. */
  readonly forward: ForwardWishes | null;
  /** One last request in so many asks for an upgrade. */
  readonly upgrades: number;
}

export interface ForwardWishes {
  /** Ports of origins. */
  readonly origins: readonly number[];
  /** Ports of destinations of tunnels. */
  readonly tunnels: readonly number[];
  /** Ports of 127.0.0.1 that are denied, or that nobody listens on. Empty = nothing that fails is asked for. */
  readonly deniedPort: number;
  readonly deadPort: number;
  /** Nobody asks for what fails. */
  readonly behaved: boolean;
  /** Clients have to show a token. */
  readonly token: string;
  /** Bytes of a tunnel. */
  readonly tunnelBytes: number;
}

/** Bytes in front of what a client sends through a tunnel: the id of its request. */
export const TUNNEL_ID_BYTES = 24;

const REPEATABLE = ["GET", "GET", "GET", "HEAD", "PUT", "DELETE", "OPTIONS"];
const ANY = [...REPEATABLE, "POST", "POST", "PATCH", "QUERY"];

/** An id that a random change turns into one that is not valid. */
export function madeId(number: number): string {
  return `${number}-${hashOf(`id ${number}`).toString(16)}`;
}

export function isId(id: string): boolean {
  const number = Number(id.split("-")[0]);
  return Number.isInteger(number) && madeId(number) === id;
}

export function makeRequest(random: Random, number: number, wishes: RequestWishes): PlannedRequest {
  const { sort, last } = wishes;
  const id = madeId(number);
  const upgrades = last && sort === "valid" && random.once(wishes.upgrades);
  const idempotencyKey = random.once(6);
  let method = upgrades ? "GET" : random.pick(wishes.repeatable ? REPEATABLE : ANY);
  let minor: 0 | 1 = last && !upgrades && random.once(6) ? 0 : 1;
  const hasBody = !upgrades && (sort === "bad_body" || random.once(2));
  if (sort === "bad_body") minor = 1;
  const chunked = hasBody && minor === 1 && (sort === "bad_body" || random.once(2));
  const bodyBytes = hasBody ? random.size(wishes.most) : 0;
  const expects = hasBody && minor === 1 && random.once(5);
  const target = `/${random.pick(["", "a", "b/c", "x?y=1&z=%20"])}${random.once(30) ? "p".repeat(600) : ""}`;
  const key = upgrades ? btoa(`key of ${id}`.padEnd(16, "=").slice(0, 16)) : "";
  const asks = wishes.forward === null || (!last && random.once(8))
    ? null
    : forwardAsk(random, wishes.forward);
  if (asks !== null && sort === "valid" && last && random.once(3)) {
    return connectRequest(random, id, wishes, wishes.forward as ForwardWishes);
  }
  const host = asks?.authority ?? random.pick(["a.example", "b.example:8080", "127.0.0.1"]);
  const written = asks !== null || (wishes.forward === null && random.once(12))
    ? `http://${host}${target}`
    : target;
  let lines = [
    `${random.once(20) ? "\r\n" : ""}${method} ${written} HTTP/1.${minor}`,
    `Host: ${asks !== null && random.once(4) ? "other.example" : host}`,
    `X-Id: ${id}`,
    ...asks?.fields ?? [],
  ];
  if (idempotencyKey) lines.push(`Idempotency-Key: "${id}"`);
  if (upgrades) {
    lines.push("Connection: Upgrade", "Upgrade: websocket", `Sec-WebSocket-Key: ${key}`);
    lines.push("Sec-WebSocket-Version: 13");
  } else if (last && minor === 1 && random.once(3)) lines.push("Connection: close");
  else if (minor === 0 && random.once(3)) lines.push("Connection: keep-alive");
  else if (random.once(8)) lines.push("Connection: X-Hop", "X-Hop: 1");
  if (random.once(6)) lines.push("TE: trailers", "Connection: TE");
  if (random.once(20)) lines.push(`X-Long: ${"v".repeat(random.next(3000))}`);
  if (expects) lines.push("Expect: 100-continue");
  if (chunked) lines.push("Transfer-Encoding: chunked");
  else if (hasBody) lines.push(`Content-Length: ${bodyBytes}`);
  if (sort === "bad_head") lines = withBadHead(random, lines, minor);
  const head = bytesOf(lines.join("\r\n") + "\r\n\r\n");
  const content = contentOf(`q${id}`, 0, bodyBytes);
  let body = chunked ? inChunks(random, content, sort === "bad_body") : content;
  let bytes = joined([head, body]);
  if (sort === "wild") {
    bytes = altered(random, bytes);
    body = new Uint8Array(0);
    method = "";
  }
  return {
    id,
    sort,
    method,
    target,
    minor,
    bodyBytes,
    bytes,
    headBytes: head.length,
    expects,
    authority: asks?.authority ?? "",
    barred: asks?.barred ?? false,
    tunnel: null,
    early: false,
    key,
    last,
    idempotencyKey,
    forbidden: wishes.forbidden,
    sent: false,
    starts: 0,
    completes: 0,
  };
}

interface ForwardAsk {
  readonly authority: string;
  readonly fields: readonly string[];
  readonly barred: boolean;
}

function forwardAsk(random: Random, wishes: ForwardWishes, ports = wishes.origins): ForwardAsk {
  const { token, behaved, deniedPort, deadPort } = wishes;
  const port = behaved || !random.once(6) ? random.pick(ports) : random.pick([deniedPort, deadPort]);
  const right = `Proxy-Authorization: Bearer ${token}`;
  const wrong = random.pick([
    [],
    ["Proxy-Authorization: Bearer wrong"],
    ["Proxy-Authorization: Basic YTpi"],
    [right, right],
  ]);
  const isRight = token === "" || behaved || !random.once(4);
  const fields = token === ""
    ? random.pick([[], ["Proxy-Authorization: Basic YTpi"]])
    : isRight
    ? [right]
    : wrong;
  if (random.once(8)) fields.push("Proxy-Connection: keep-alive");
  return { authority: `127.0.0.1:${port}`, fields, barred: !isRight || port === deniedPort };
}

/** A tunnel whose bytes look like a request at first: whoever takes them for one forwards it. */
function connectRequest(
  random: Random,
  id: string,
  wishes: RequestWishes,
  forward: ForwardWishes,
): PlannedRequest {
  const { authority, fields, barred } = forwardAsk(random, forward, forward.tunnels);
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, ...fields];
  const head = bytesOf(lines.join("\r\n") + "\r\n\r\n");
  const [origin = 0] = forward.origins;
  const trap = `GET http://127.0.0.1:${origin}/trap HTTP/1.1\r\nHost: a\r\nX-Id: trap\r\n` +
    `Proxy-Authorization: Bearer ${forward.token}\r\n\r\n`;
  const isTrap = random.once(2);
  const tunnel = joined([
    // The request is whole without the id; its line ends before it.
    bytesOf(isTrap ? trap : ""),
    bytesOf(id.padEnd(TUNNEL_ID_BYTES - 2) + "\r\n"),
    contentOf(`t${id}`, 0, forward.tunnelBytes),
  ]);
  return {
    id,
    sort: "valid",
    method: "CONNECT",
    target: authority,
    minor: 1,
    bodyBytes: 0,
    bytes: head,
    headBytes: head.length,
    expects: false,
    authority,
    barred,
    tunnel,
    early: random.once(2),
    key: "",
    last: true,
    idempotencyKey: false,
    forbidden: wishes.forbidden,
    sent: false,
    starts: 0,
    completes: 0,
  };
}

function withBadHead(random: Random, lines: readonly string[], minor: 0 | 1): string[] {
  const [start = "", ...fields] = lines;
  const framed = fields.filter((line) => !/^(?:content-length|transfer-encoding):/i.test(line));
  const put = (...bad: string[]): string[] => {
    const at = random.next(framed.length + 1);
    return [start, ...framed.slice(0, at), ...bad, ...framed.slice(at)];
  };
  const parts = start.split(" ");
  switch (random.next(19)) {
    case 0:
      return put("Content-Length: 5", "Transfer-Encoding: chunked");
    case 1:
      return put("Content-Length: 5", "Content-Length: 6");
    case 2:
      // Leading zeros are legal, up to twenty digits in all.
      return put(
        `Content-Length: ${random.pick(["+5", "-1", "0x5", "5_0", "5 0", "", "1Z", "5".padStart(21, "0")])}`,
      );
    case 3:
      return put(
        `Transfer-Encoding: ${
          random.pick(["xchunked", "chunked, gzip", "chunked;x=1", ",chunked", "\x0bchunked"])
        }`,
      );
    case 4:
      return put("Transfer-Encoding: chunked", "Transfer-Encoding: chunked");
    case 5:
      return put("X-Space : 1");
    case 6:
      return [start, ...framed, " folded"];
    case 7:
      return put("no colon");
    case 8:
      return put("X-Nul: a\x00b");
    case 9:
      return put("X-Cr: a\rb");
    case 10:
      return put("X-Lf: a\nX-Id2: b");
    case 11:
      return put("Host: other.example");
    case 12:
      return minor === 0
        ? put("Transfer-Encoding: chunked")
        : [start, ...fields.filter((line) => !line.startsWith("Host:"))];
    case 13:
      return [`${parts[0]}  ${parts[1]} ${parts[2]}`, ...fields];
    case 14:
      return [
        `${parts[0]} ${parts[1]} ${random.pick(["HTTP/2.0", "HTTP/1.2", "http/1.1", "HTTP/1.1 "])}`,
        ...fields,
      ];
    case 15:
      return [`G(T ${parts[1]} ${parts[2]}`, ...fields];
    case 16:
      return [`${parts[0]} /a#b ${parts[2]}`, ...fields];
    case 17:
      return put("Connection: content-length");
    default:
      return put(": empty");
  }
}

function inChunks(random: Random, content: Uint8Array, bad: boolean): Uint8Array {
  const pieces: Uint8Array[] = [];
  const longest = random.pick([1, 7, 100, 5000, 100_000]);
  const breakAt = bad ? random.next(3) : -1;
  let count = 0;
  for (let at = 0; at < content.length; count++) {
    const to = Math.min(content.length, at + 1 + random.next(longest));
    const size = (to - at).toString(16);
    const extension = random.once(20) ? random.pick([";a", ";a=b", ';a="b;c"']) : "";
    if (count === breakAt) {
      pieces.push(bytesOf(random.pick([`0x${size}\r\n`, `${size}\n`, ` ${size}\r\n`, ";\r\n"])));
    } else pieces.push(bytesOf(`${random.once(9) ? "0" : ""}${size}${extension}\r\n`));
    pieces.push(content.subarray(at, to), bytesOf("\r\n"));
    at = to;
    // Many tiny chunks are enough for the beginning.
    if (pieces.length > 600) {
      const rest = content.length - at;
      if (rest > 0) pieces.push(bytesOf(`${rest.toString(16)}\r\n`), content.subarray(at), bytesOf("\r\n"));
      break;
    }
  }
  if (bad && count <= breakAt) pieces.push(bytesOf("zz\r\n"));
  const trailers = random.once(6) ? "X-Trailer: 1\r\n" : "";
  pieces.push(bytesOf(`0\r\n${trailers}\r\n`));
  return joined(pieces);
}

const FRAGMENTS = [
  "\r\n",
  "\n",
  "\r",
  " ",
  ":",
  "\x00",
  "\xff",
  "0",
  "5\r\nhello\r\n",
  "0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
  "Content-Length: 3\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Expect: 100-continue\r\n",
  "Connection: close\r\n",
  "Upgrade: websocket\r\nConnection: Upgrade\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

function altered(random: Random, bytes: Uint8Array): Uint8Array {
  let text = "";
  for (const byte of bytes.subarray(0, 6000)) text += String.fromCharCode(byte);
  for (let i = random.between(1, 4); i > 0; i--) {
    const at = random.next(text.length + 1);
    const length = 1 + random.next(random.once(4) ? 60 : 3);
    switch (random.next(5)) {
      case 0:
        text = text.slice(0, at) + text.slice(at + length);
        break;
      case 1:
        text = text.slice(0, at) + random.pick(FRAGMENTS) + text.slice(at);
        break;
      case 2:
        text = text.slice(0, at) + random.pick(FRAGMENTS) + text.slice(at + length);
        break;
      case 3:
        text = text.slice(0, at) + String.fromCharCode(random.next(256)) + text.slice(at + 1);
        break;
      default:
        text = text.slice(0, at) + text.slice(at, at + length).repeat(2) + text.slice(at);
    }
  }
  return bytesOf(text);
}
