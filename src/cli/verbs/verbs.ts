/** Runs the commands that ask a running Sluice. */

import type { Runtime, System } from "../../../runtime/contract/contract.ts";
import type { Arguments } from "../arguments.ts";
import { explainVerb } from "./explain_verb.ts";
import { findControl } from "./find_control.ts";
import {
  drain,
  pause,
  reload,
  reopen,
  restart,
  resume,
  status,
  swap,
  undrain,
  upgrade,
  wait,
} from "./simple_verbs.ts";
import { stop } from "./stop_verb.ts";
import { tellFailure, VerbCall, VerbFailure } from "./verb_call.ts";
import type { VerbName } from "../command.ts";
import { top } from "../top/top.ts";
import { watch } from "./watch_verb.ts";
import { withPause } from "./with_pause.ts";

/** Asks, prints the answer, tells the exit code. What goes wrong is a `VerbFailure`. */
export type Verb = (call: VerbCall) => Promise<number>;

const VERBS: Readonly<Record<VerbName, Verb>> = {
  status,
  watch,
  top,
  pause,
  resume,
  "with-pause": withPause,
  drain,
  undrain,
  swap,
  wait,
  reload,
  restart,
  upgrade,
  stop,
  reopen,
  explain: explainVerb,
};

export function isVerb(name: string): name is VerbName {
  return Object.hasOwn(VERBS, name);
}

/** @returns the exit code; everything that went wrong has been said */
export async function runVerb(
  runtime: Runtime,
  system: System,
  args: Arguments,
  name: VerbName,
): Promise<number> {
  try {
    const find = () =>
      findControl(runtime, system, {
        control: args.own.get("control") ?? args.flags["control"]?.[0],
        listen: args.own.get("listen") ?? args.flags["listen"]?.[0],
      });
    return await VERBS[name](new VerbCall(runtime, system, args, find));
  } catch (error) {
    if (error instanceof VerbFailure) return tellFailure(system, args, error);
    throw error;
  }
}
