/** What scenarios of `Runtime.secure` share: two ends, and TLS between them. */
import assert from "node:assert/strict";
import type { ClientTls, ServerTls } from "../../runtime/contract/contract.ts";
import { localhostCertificate, testAuthority, wildcardCertificate } from "../support/certificates.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Lab, SecureCall } from "./lab.ts";

export const TRUSTING: ClientTls = { serverName: "localhost", verify: true, ca: testAuthority };
export const LOCALHOST: ServerTls = localhostCertificate;

export interface Pair {
  readonly client: Endpoint;
  readonly server: Endpoint;
}

export interface Calls {
  readonly client: SecureCall;
  readonly server: SecureCall;
}

export function startBoth(
  lab: Lab,
  { client, server }: Pair,
  clientTls: ClientTls = TRUSTING,
  serverTls: ServerTls = LOCALHOST,
): Calls {
  return { client: lab.startSecure(client, clientTls), server: lab.startSecure(server, serverTls) };
}

export async function bothOpen({ client, server }: Calls): Promise<Pair> {
  const [opened, accepted] = await Promise.all([client.whenOpen(), server.whenOpen()]);
  return { client: opened, server: accepted };
}

/** Two ends with TLS on a connection that was plain. */
export async function securedPair(lab: Lab, clientTls?: ClientTls, serverTls?: ServerTls): Promise<Pair> {
  return await bothOpen(startBoth(lab, await lab.pair(), clientTls, serverTls));
}

export async function talks({ client, server }: Pair): Promise<void> {
  const before = { client: client.receivedBytes, server: server.receivedBytes };
  client.say("question");
  await server.whenReceived(before.server + 8);
  server.say("answer");
  await client.whenReceived(before.client + 6);
}

/** Something ends `end` although it never said so itself: a refusal may come when the handshake is done (TLS 1.3). */
export async function isRefused(call: SecureCall): Promise<void> {
  await call.whenOver();
  const { endpoint } = call;
  await endpoint?.until("a refusal", () => endpoint.endedSeen || endpoint.closedWith !== null);
  if (endpoint?.endedSeen === true) assert.equal(endpoint.receivedBytes, 0);
}

/** TLS inside of TLS, from the plain connection up. */
export async function nested(lab: Lab): Promise<Pair> {
  const outer = await lab.pair({ tls: LOCALHOST }, { tls: TRUSTING });
  outer.client.say("CONNECT a.example.test:443\r\n");
  await outer.server.whenReceived(28);
  const name = { ...TRUSTING, serverName: "a.example.test" };
  return await bothOpen(startBoth(lab, outer, name, wildcardCertificate));
}
