/** Every vector, by topic. */

import { CHUNKED } from "./chunked.ts";
import { FIELD_LINES } from "./field_lines.ts";
import { HOST_AND_TARGET } from "./host_and_target.ts";
import { PIPELINING } from "./pipelining.ts";
import { REQUEST_FRAMING } from "./request_framing.ts";
import { REQUEST_LINE } from "./request_line.ts";
import { RESPONSES } from "./responses.ts";
import type { Vector } from "./vector.ts";

export const VECTORS: Readonly<Record<string, readonly Vector[]>> = {
  "request line": REQUEST_LINE,
  "field lines": FIELD_LINES,
  "host and target": HOST_AND_TARGET,
  "request framing": REQUEST_FRAMING,
  "chunked": CHUNKED,
  "responses": RESPONSES,
  "pipelining": PIPELINING,
};
