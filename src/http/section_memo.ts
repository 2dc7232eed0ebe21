/** What is remembered about a field section that comes again and again, by the senders and the log of such messages. */

import { WrittenHead } from "./written_head.ts";

/**
 * Made together with its section when a memo of the codec keeps that, and so bounds it. The section itself never
 * changes: what changes is here, and belongs to who is named. Nothing here decides anything.
 */
export class SectionMemo {
  /** Of connections that send a head with these fields: how they wrote it last. */
  readonly written: WrittenHead = new WrittenHead();
  /** Of http1/encode.ts: the mask of the fields that were left out last, and what was left; -1 = none yet. */
  keptMask = -1;
  kept = "";
  /** Of exchanges: what was passed on of these fields last. */
  forwarded: object | null = null;
  /** Of the forward proxy: the target that came last with these fields, as it was read. */
  asked: object | null = null;
  /** Of the access log: what its format made of these fields. */
  logged: object | null = null;
}
