/**
 * Targets of a forward proxy as they were read, so that equal ones need not be read again.
 *
 * What is remembered stands beside the fields of the request (`SectionMemo.asked`), which name the same host: the target that came
 * last with them. So the memos of the codec bound it. It depends on the request line and on `takesHttps` alone, all of which are
 * compared; what becomes of a destination is decided anew for each request.
 */

import { SLASH } from "../bytes/character.ts";
import type { Head } from "../http/head.ts";
import { type ForwardTarget, readForwardTarget, type TargetRefusal, withPath } from "./forward_target.ts";

/** Longest target that is kept. */
const LONGEST = 2048;

class KnownTarget {
  method = "";
  target = "";
  takesHttps = false;
  read: ForwardTarget | TargetRefusal | null = null;
  /** Scheme and authority of `target`, where a path follows; "" = it says nothing about other targets. */
  origin = "";
}

/** What `readForwardTarget` says of the target of a request. */
export function targetOf(head: Head, takesHttps: boolean): ForwardTarget | TargetRefusal {
  const { method, target, section: { memo } } = head;
  if (memo === null || target.length > LONGEST) return readForwardTarget(method, target, takesHttps);
  const known = (memo.asked ??= new KnownTarget()) as KnownTarget;
  const { read } = known;
  if (
    read !== null && known.target === target && known.method === method && known.takesHttps === takesHttps
  ) return read;
  const near = read === null || read.kind === "refusal" || known.takesHttps !== takesHttps
    ? null
    : readNear(known.origin, read, method, target);
  const now = near ?? readForwardTarget(method, target, takesHttps);
  known.method = method;
  known.target = target;
  known.takesHttps = takesHttps;
  known.read = now;
  if (near === null) known.origin = originOf(target, now);
  return now;
}

/** A target that differs in its path only. */
function readNear(
  origin: string,
  read: ForwardTarget,
  method: string,
  target: string,
): ForwardTarget | null {
  if (origin === "" || method === "CONNECT" || !target.startsWith(origin)) return null;
  if (target.charCodeAt(origin.length) !== SLASH) return null;
  return withPath(read, target.slice(origin.length));
}

function originOf(target: string, read: ForwardTarget | TargetRefusal): string {
  if (read.kind === "refusal" || read.target.charCodeAt(0) !== SLASH) return "";
  // No authority ends with "/", so where this holds the path was not completed.
  return target.endsWith(read.target) ? target.slice(0, -read.target.length) : "";
}
