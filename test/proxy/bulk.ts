/** Much data by way of a tunnel, in either direction. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { RawClient } from "../support/raw_client.ts";
import type { Peer } from "../support/scripted_origin.ts";
import { patterned } from "./lab.ts";

type End = RawClient | Peer;

/** More than all buffers on the way hold. */
const BULK_BYTES = 24 * 1024 * 1024;

/** Reads as many bytes as were sent. @throws AssertionError when they are others */
export async function arrivesWhole(to: End, sent: Uint8Array): Promise<void> {
  const hash = createHash("sha256");
  for (let left = sent.length; left > 0;) {
    const piece = await to.inbox.some(left, "the bulk");
    hash.update(piece);
    left -= piece.length;
  }
  assert.equal(hash.digest("hex"), createHash("sha256").update(sent).digest("hex"));
}

/** Whoever sends waits for the one that does not read, the other direction does not, and all of it arrives. */
export async function waitsForReader(from: End, to: End): Promise<void> {
  to.record = false;
  to.pause();
  const body = patterned(BULK_BYTES);
  let taken = false;
  const sent = from.send(body).then(() => taken = true);
  await to.send("meanwhile");
  await from.readUntil("meanwhile");
  assert.equal(taken, false, "the sender is made to wait");
  to.resume();
  await arrivesWhole(to, body);
  await sent;
}
