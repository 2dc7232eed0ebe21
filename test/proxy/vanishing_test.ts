/** A client or an endpoint that leaves, with FIN and with a reset, in every phase of an exchange. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RawClient } from "../support/raw_client.ts";
import type { Peer } from "../support/scripted_origin.ts";
import { acrossChunks, type Wire } from "../support/wire.ts";
import { type Lab, message, withLab } from "./lab.ts";

const GET = message(["GET / HTTP/1.1", "Host: a"]);
const POST = message(["POST / HTTP/1.1", "Host: a", "Content-Length: 2"], "ab");
const UPLOAD = message(["POST / HTTP/1.1", "Host: a", "Content-Length: 300000"], "begin");
const HALF = message(["HTTP/1.1 200 OK", "Content-Length: 6"], "abc");
const WHOLE = message(["HTTP/1.1 200 OK", "Content-Length: 2"], "ok");

type How = "FIN" | "reset";

interface Scene {
  readonly name: string;
  readonly request: string;
  /** How far the endpoint has come when somebody leaves. */
  readonly sent: string;
  /** What the record says: status and reason. */
  readonly FIN: string;
  readonly reset: string;
  /** Of a client, after FIN with `client_half_close: finish`, where that differs. */
  readonly finish?: string;
}

function leave(wire: Wire, how: How): void {
  if (how === "FIN") void wire.halfClose();
  else wire.reset();
}

/** Brings the exchange to the scene: the endpoint has the request, the client what was sent of the response. */
async function play(lab: Lab, { request, sent }: Scene): Promise<{ client: RawClient; peer: Peer }> {
  const { client, peer } = await lab.begin(request);
  await peer.readUntil(request.slice(request.indexOf("\r\n\r\n") + 4) || "\r\n\r\n");
  if (sent !== "") await peer.send(sent);
  const content = sent.split("\r\n\r\n")[1]?.replace(/^[0-9a-f]+\r\n|\r\n$/g, "");
  if (content !== undefined) await client.readUntil(acrossChunks(content));
  return { client, peer };
}

function lengthKnown(response: string): boolean {
  return /Content-Length|chunked/.test(response);
}

/** Nothing is held any more, and the next request is served as if nothing had been. */
async function checkRecovered(lab: Lab): Promise<void> {
  const { proxy, origin } = lab;
  await proxy.until(
    "all to be given back",
    () => proxy.upstream().inFlight === 0 && proxy.upstream().waiting === 0,
  );
  await proxy.until("the connections to go", () => proxy.gateway.connections === 0);
  const before = origin.connections;
  const next = await lab.connect();
  await next.send(GET);
  const fresh = await origin.accept();
  await fresh.readRequest();
  await fresh.send(WHOLE);
  assert.equal((await next.readResponse()).text, "ok");
  assert.equal(origin.connections, before + 1, "on a new connection");
}

const CLIENT_LEAVES: readonly Scene[] = [
  {
    name: "awaiting the response",
    request: GET,
    sent: "",
    FIN: "0 client_gone",
    reset: "0 client_gone",
    finish: "200 ",
  },
  {
    name: "within the response's head",
    request: GET,
    sent: "HTTP/1.1 200 OK\r\nX: ",
    FIN: "0 client_gone",
    reset: "0 client_gone",
    finish: "200 ",
  },
  { name: "within the response", request: GET, sent: HALF, FIN: "200 ", reset: "200 client_gone" },
  {
    name: "within an event stream",
    request: GET,
    sent: message(
      ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked"],
      "3\r\nabc\r\n",
    ),
    FIN: "200 client_gone",
    reset: "200 client_gone",
    finish: "200 ",
  },
  {
    name: "within a response that ends with its connection",
    request: GET,
    sent: message(["HTTP/1.1 200 OK"], "abc"),
    FIN: "200 client_gone",
    reset: "200 client_gone",
    finish: "200 ",
  },
  { name: "within the request", request: UPLOAD, sent: "", FIN: "400 client_gone", reset: "0 client_gone" },
  { name: "within both", request: UPLOAD, sent: HALF, FIN: "200 client_gone", reset: "200 client_gone" },
];

const REST: Readonly<Record<string, string>> = {
  "awaiting the response": WHOLE,
  "within the response's head": "1\r\nContent-Length: 0\r\n\r\n",
  "within the response": "def",
  "within an event stream": "0\r\n\r\n",
};

for (const [how, setting] of [["FIN", "abort"], ["FIN", "finish"], ["reset", "abort"]] as const) {
  for (const scene of CLIENT_LEAVES) {
    const outcome = setting === "finish" ? scene.finish ?? scene.FIN : scene[how];
    test(`the client leaves with a ${how} ${scene.name}; client_half_close: ${setting}`, () =>
      withLab(`hold: 0s\nclient_half_close: ${setting}`, async (lab) => {
        const { client, peer } = await play(lab, scene);
        leave(client, how);
        const rest = REST[scene.name] ?? "";
        if (outcome === "200 ") {
          // It has only ended its own side: it still gets all of the response.
          await peer.send(rest);
          if (!lengthKnown(scene.sent + rest)) void peer.halfClose();
          await client.readToEnd();
          assert.equal(client.transcript.endsWith(rest.slice(rest.lastIndexOf("\r\n") + 2)), true);
          await client.untilClosed();
          peer.reset();
        } else {
          await client.readToClose();
          if (how === "FIN") client.destroy();
          await peer.readToClose();
        }
        const { status, reason } = await lab.proxy.endedAt(0);
        assert.equal(`${status} ${reason}`, outcome);
        await checkRecovered(lab);
      }));
  }
}

for (const how of ["FIN", "reset"] as const) {
  test(`the client leaves with a ${how} before its request is whole`, () =>
    withLab("", async (lab) => {
      const client = await lab.connect();
      await client.send("GET / HTTP/1.1\r\nHost: a\r\n");
      leave(client, how);
      await client.readToClose();
      if (how === "FIN") assert.match(client.transcript, /^HTTP\/1\.1 400 /);
      client.destroy();
      await lab.proxy.until("it to be gone", () => lab.proxy.gateway.connections === 0);
      assert.deepEqual(lab.proxy.ended.map(({ status }) => status), how === "FIN" ? [400] : []);
      await checkRecovered(lab);
    }));

  test(`the client leaves with a ${how} between requests`, () =>
    withLab("", async (lab) => {
      const { client, peer } = await play(lab, { name: "", request: GET, sent: WHOLE, FIN: "", reset: "" });
      leave(client, how);
      await client.untilClosed();
      await lab.proxy.until("it to be gone", () => lab.proxy.gateway.connections === 0);
      assert.equal((await lab.proxy.endedAt(0)).reason, "");
      // The endpoint's connection stays, for others.
      const next = await lab.connect();
      await next.send(GET);
      await peer.readUntil("\r\n\r\n");
    }));

  test(`the client leaves with a ${how} while it is held`, () =>
    withLab("hold: 30s", async (lab) => {
      await lab.origin.stopListening();
      const client = await lab.connect();
      await client.send(GET);
      await lab.proxy.until("the request to be held", () => lab.proxy.events.length > 0);
      assert.equal(lab.proxy.upstream().waiting, 1);
      leave(client, how);
      const { status, reason } = await lab.proxy.endedAt(0);
      assert.equal(`${status} ${reason}`, "0 client_gone");
      assert.equal(lab.proxy.upstream().waiting, 0);
      await client.readToClose();
    }));
}

const GONE = "502 connection_terminated";

const ENDPOINT_LEAVES: readonly Scene[] = [
  { name: "before it answers GET", request: GET, sent: "", FIN: GONE, reset: GONE },
  {
    name: "before it answers POST",
    request: POST,
    sent: "",
    FIN: "502 not_idempotent",
    reset: "502 not_idempotent",
  },
  {
    name: "within an upload",
    request: UPLOAD,
    sent: "",
    FIN: "502 not_idempotent",
    reset: "502 not_idempotent",
  },
  {
    name: "within the response",
    request: GET,
    sent: HALF,
    FIN: "200 http_response_incomplete",
    reset: "200 http_response_incomplete",
  },
  {
    name: "within both",
    request: UPLOAD,
    sent: HALF,
    FIN: "200 http_response_incomplete",
    reset: "200 http_response_incomplete",
  },
];

for (const how of ["FIN", "reset"] as const) {
  for (const scene of ENDPOINT_LEAVES) {
    test(`the endpoint leaves with a ${how} ${scene.name}`, () =>
      withLab("hold: 0s", async (lab) => {
        const { client, peer } = await play(lab, scene);
        leave(peer, how);
        if (scene.sent === "") {
          const answer = await client.readResponse();
          assert.equal(answer.status, 502);
          // Whoever has not sent the whole request cannot go on with another one.
          assert.deepEqual(answer.all("Connection"), scene.request === UPLOAD ? ["close"] : []);
          if (scene.request === UPLOAD) assert.equal(await client.readToEnd(), "");
        } else {
          assert.equal(await client.readToEnd(), "");
        }
        client.destroy();
        const { status, reason } = await lab.proxy.endedAt(0);
        assert.equal(`${status} ${reason}`, scene[how]);
        await checkRecovered(lab);
      }));
  }
}
