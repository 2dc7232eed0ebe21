/** `sluice stop`: returns when the process is gone. */

import { EXIT, type ExitCode } from "../../process/shared/exit_code.ts";
import { ANSWER_MS, noReply, objectOf, type ReplyObject, type VerbCall, VerbFailure } from "./verb_call.ts";

/**
 * Sluice answers with one line and leaves the connection open: the kernel closes it when the process ends, so
 * that nothing has to be asked again and again.
 */
export async function stop(call: VerbCall): Promise<ExitCode> {
  const timeoutMs = call.timeout(null);
  let first: ReplyObject | null = null;
  const stopping = await call.begin({
    method: "POST",
    target: "/stop",
    body: JSON.stringify({ now: call.args.own.has("now") }),
    timeoutMs,
    line: (text) => {
      first ??= objectOf(text);
      unanswered.cancel();
      return true;
    },
  });
  let late = false;
  const unanswered = call.runtime.clock.setTimer(ANSWER_MS, () => {
    late = true;
    stopping.cancel();
  });
  const reply = await stopping.reply;
  unanswered.cancel();
  const heard = first as ReplyObject | null;
  if (reply.ok && reply.status !== 200) call.read(reply);
  if (heard === null) {
    if (late) {
      throw noReply(call.control.path, { ok: false, code: "timeout", detail: "no answer", begun: false });
    }
    call.read(reply);
    throw new VerbFailure(EXIT.failed, "garbage", `${call.control.path}: an answer without content`);
  }
  if (!reply.ok && reply.code === "timeout") {
    const { connections } = heard;
    throw new VerbFailure(
      EXIT.timeout,
      "timeout",
      `it is stopping, but was still there after --timeout (${
        String(connections)
      } connections at its begin); ` +
        "--now cuts them off",
    );
  }
  if (!reply.ok && reply.code === "garbage") throw noReply(call.control.path, reply);
  call.tell(heard, "stopped");
  return EXIT.done;
}
