/** `sluice watch`: events as they happen. */

import { SystemError } from "../../../runtime/contract/contract.ts";
import type { CallReply } from "../../client/http_call.ts";
import { EVENT_NAMES, type EventName } from "../../control/event.ts";
import { currentLogEvent } from "../../observe/former_words.ts";
import { suggest } from "../../config/values/suggest.ts";
import { quoteIfOdd } from "../../config/values/shown.ts";
import { EXIT, type ExitCode } from "../../process/shared/exit_code.ts";
import { noReply, objectOf, usage, type VerbCall, VerbFailure } from "./verb_call.ts";

export async function watch(call: VerbCall): Promise<ExitCode> {
  const until = (call.args.lists.get("until") ?? []).flatMap((list) => list.split(",")).map(eventName);
  const timeoutMs = call.timeout(null);
  const { clock } = call.runtime;
  const end = timeoutMs === null ? null : clock.now() + timeoutMs;
  let met = false;
  /** Another process has taken the place of the one that is watched, and goes on with the events. */
  let upgraded = false;
  let unread: SystemError | null = null;
  let stopping = false;
  const line = (text: string): boolean => {
    const event = objectOf(text)?.["event"];
    if (typeof event !== "string") return true;
    try {
      // The line as it came: its reader gets what the control socket says.
      call.system.writeDescriptor(1, text + "\n");
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      unread = error;
      return false;
    }
    upgraded ||= event === "upgraded";
    if (event === "stopping" && !upgraded) stopping = true;
    met = until.some((name) => name === event);
    return !met;
  };
  const follow = async (): Promise<CallReply> => {
    upgraded = false;
    const leftMs = end === null ? null : Math.max(1, end - clock.now());
    const request = { method: "GET", target: "/events", body: "", timeoutMs: leftMs, line } as const;
    const reply = await (await call.begin(request)).reply;
    if (!upgraded || met || unread !== null || !reply.ok || reply.status !== 200) return reply;
    call.forget();
    return await follow();
  };
  const reply = await follow();
  if (unread !== null) return unreadExit(unread);
  if (met) return EXIT.done;
  if (reply.ok && reply.status !== 200) call.read(reply);
  if (!reply.ok && reply.code === "timeout" && (reply.begun || until.length > 0)) {
    if (until.length === 0) return EXIT.done;
    throw new VerbFailure(EXIT.timeout, "timeout", `${until.join(" or ")}: has not happened in time`);
  }
  const ended = reply.ok || (reply.code === "closed" && reply.begun);
  if (!ended) throw noReply(call.control.path, reply);
  if (stopping && until.length === 0) return EXIT.done;
  throw new VerbFailure(
    EXIT.failed,
    "closed",
    until.length === 0
      ? "Sluice has ended the stream of events: it is gone, or we read too slowly"
      : `Sluice has ended before this happened: ${until.join(" or ")}`,
  );
}

/** `sluice watch | head -1` is fine; a reader that is too slow misses something, and is told. */
function unreadExit({ code, message }: SystemError): ExitCode {
  if (code === "EPIPE") return EXIT.done;
  throw new VerbFailure(EXIT.failed, "failed", `standard output: ${message}`);
}

function eventName(word: string): EventName {
  const found = EVENT_NAMES.find((name) => name === currentLogEvent(word.trim()));
  if (found !== undefined) return found;
  const meant = suggest(word, EVENT_NAMES);
  throw usage(
    `--until: there is no event ${quoteIfOdd(word)}; ` +
      (meant === null ? `there are ${EVENT_NAMES.join(", ")}` : `did you mean ${meant}?`),
  );
}
