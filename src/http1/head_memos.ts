/** What parsers remember of messages, so that what comes again need not be understood again. */

import type { FieldSection } from "../http/field_section.ts";
import type { Head } from "../http/head.ts";
import type { Http1Limits } from "../http/limits.ts";
import { LineMemo } from "./line_memo.ts";
import { PrefixMemo } from "./prefix_memo.ts";

/** A head that was accepted under these limits; other limits have to look for themselves. */
export interface KnownHead {
  readonly head: Head;
  readonly limits: Http1Limits;
}

/** Of all parsers of one codec. Each memo bounds itself. */
export class HeadMemos {
  readonly requestHeads = new PrefixMemo<KnownHead>();
  readonly responseHeads = new PrefixMemo<KnownHead>();
  readonly requestSections = new PrefixMemo<FieldSection>();
  readonly responseSections = new PrefixMemo<FieldSection>();
  readonly requestLines = new LineMemo();
}
