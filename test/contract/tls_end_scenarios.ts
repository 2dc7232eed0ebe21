/** How a TLS connection ends: by its peer's close_notify, or below TLS, by whoever is in between. */
import assert from "node:assert/strict";
import type { ClientTls } from "../../runtime/contract/contract.ts";
import { localhostCertificate, testAuthority } from "../support/certificates.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Lab, Scenario } from "./lab.ts";
import { rawConnect, rawServer } from "./raw_peer.ts";
import { turns } from "./watch.ts";

const TRUSTING: ClientTls = { serverName: "localhost", verify: true, ca: testAuthority };

/** A client, a server, and whoever is in between. */
interface Between {
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** What the server has sent since the handshake and the client has not got yet. */
  held(): number;
  /** Lets so many bytes of it pass; all of them if it is not said. */
  pass(bytes?: number): void;
  /** FIN to the client, directly behind what has passed. */
  cut(): void;
  /** What the client sends next arrives damaged. */
  damage(): void;
}

async function between(lab: Lab): Promise<Between> {
  const host = await lab.listen({ tls: localhostCertificate });
  const relay = await rawServer(lab);
  const back = await rawConnect(lab, host.port);
  const dial = lab.startDial(relay.address, { tls: TRUSTING });
  const gateway = await relay.accept();
  const held: Uint8Array[] = [];
  let holding = false;
  let damaging = false;
  gateway.socket.on("data", (bytes: Uint8Array) => {
    const copy = bytes.slice();
    if (damaging) copy[copy.length - 1] = (copy[copy.length - 1] as number) ^ 1;
    back.socket.write(copy);
  });
  back.socket.on("data", (bytes: Uint8Array) => {
    if (holding) held.push(bytes);
    else gateway.socket.write(bytes);
  });
  back.socket.on("end", () => {
    if (!holding) gateway.finish();
  });
  const client = await dial.whenOpen();
  const server = await host.accept();
  // Session tickets come after the handshake.
  server.say("first");
  await client.whenReceived(5);
  holding = true;
  return {
    client,
    server,
    held: () => held.reduce((sum, bytes) => sum + bytes.length, 0),
    pass(bytes = Infinity) {
      let left = bytes;
      for (let piece = held.shift(); piece !== undefined; piece = held.shift()) {
        const part = piece.subarray(0, left);
        gateway.socket.write(part);
        left -= part.length;
        if (left <= 0) return;
      }
    },
    cut: () => gateway.finish(),
    damage() {
      damaging = true;
      holding = false;
    },
  };
}

async function heldAtLeast(scene: Between, back: number): Promise<void> {
  for (let i = 0; scene.held() < back; i++) {
    if (i === 5000) throw new Error(`${scene.held()} of ${back} bytes were sent`);
    await turns(1);
  }
}

/** Header and tag of a record beside its contents. */
const RECORD_BYTES = 22;

interface Case {
  readonly name: string;
  /** Texts the server sends, one record each. */
  readonly says: readonly string[];
  /** It finishes as well. */
  readonly finishes: boolean;
  /** Bytes that the last record loses on its way. */
  readonly loses?: number;
  /** The end of TLS itself is lost. */
  readonly short: boolean;
}

const CASES: readonly Case[] = [
  { name: "close_notify", says: [], finishes: true, short: false },
  { name: "close_notify with the last bytes", says: ["abc"], finishes: true, short: false },
  { name: "close_notify after a record of two bytes", says: ["abc", "de"], finishes: true, short: false },
  { name: "FIN without close_notify", says: [], finishes: false, short: true },
  { name: "FIN without close_notify with the last bytes", says: ["abc"], finishes: false, short: true },
  { name: "FIN behind a record as long as an alert", says: ["de"], finishes: false, short: true },
  { name: "FIN behind two such records", says: ["de", "fg"], finishes: false, short: true },
  { name: "FIN in the middle of a record", says: ["abc", "defg"], finishes: false, loses: 3, short: true },
  { name: "FIN behind a record's header", says: ["abcd"], finishes: false, loses: 21, short: true },
  {
    name: "FIN where the part of a record is as long as an alert",
    says: ["x".repeat(40)],
    finishes: false,
    loses: 40 + RECORD_BYTES - 24,
    short: true,
  },
  { name: "FIN in the middle of close_notify", says: ["abc"], finishes: true, loses: 1, short: true },
];

async function run(lab: Lab, { says, finishes, loses = 0, short }: Case): Promise<void> {
  const scene = await between(lab);
  const { client, server } = scene;
  let expected = 0;
  for (const text of says) {
    server.say(text);
    expected += text.length + RECORD_BYTES;
    await heldAtLeast(scene, expected);
  }
  if (finishes) {
    server.finish();
    expected += 2 + RECORD_BYTES;
  }
  await heldAtLeast(scene, expected);
  assert.equal(scene.held(), expected, "the sizes of records are what they were taken to be");
  scene.pass(expected - loses);
  scene.cut();
  await client.whenEnded();
  assert.equal(client.socket.endedShort ?? false, short && lab.runtime.capabilities.tlsEnd);
}

export const tlsEndScenarios: readonly Scenario[] = [
  ...CASES.map((one): Scenario => ({
    name: `a peer's end, ${one.name}: ${one.short ? "cut short" : "in order"}`,
    run: (lab) => run(lab, one),
  })),
  {
    name: "a peer's end, a fatal alert: no orderly end at all",
    async run(lab) {
      const scene = await between(lab);
      const { client } = scene;
      scene.damage();
      client.say("abc");
      await client.until("an end", () => client.endedSeen || client.closedWith !== null);
      if (client.endedSeen && lab.runtime.capabilities.tlsEnd) assert.equal(client.socket.endedShort, true);
      if (!client.endedSeen) assert.notEqual(client.closedWith?.code, "finished");
    },
  },
  {
    name: "a peer's end, a reset: no orderly end at all",
    async run(lab) {
      const server = await lab.listen({ tls: localhostCertificate });
      const client = await lab.dial(server.address, { tls: TRUSTING });
      const accepted = await server.accept();
      accepted.say("abc");
      await client.whenReceived(3);
      accepted.abort();
      await client.until("an end", () => client.endedSeen || client.closedWith !== null);
      if (client.endedSeen && lab.runtime.capabilities.tlsEnd) assert.equal(client.socket.endedShort, true);
    },
  },
];
