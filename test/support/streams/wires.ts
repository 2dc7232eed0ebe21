/** All wires that a test of streams runs over. */

import { TOY } from "../toy_wire/toy_wire.ts";
import { MEMORY } from "./memory_wire.ts";
import type { Wire } from "./wire.ts";

export const WIRES: readonly Wire[] = [MEMORY, TOY];
