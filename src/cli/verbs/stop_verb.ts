/** `sluice stop`: returns when the process is gone. */

import { EXIT, type ExitCode } from "../../process/shared/exit_code.ts";
import { ANSWER_MS, noAnswer, objectOf, type Told, type VerbCall, VerbFailure } from "./verb_call.ts";

/**
 * Sluice answers with one line and leaves the connection open: the kernel closes it when the process ends, so
 * that nothing has to be asked again and again.
 */
export async function stop(call: VerbCall): Promise<ExitCode> {
  const timeoutMs = call.timeout(null);
  let told: Told | null = null;
  const asking = await call.begin({
    method: "POST",
    target: "/stop",
    body: JSON.stringify({ now: call.args.own.has("now") }),
    timeoutMs,
    line: (text) => {
      told ??= objectOf(text);
      unanswered.cancel();
      return true;
    },
  });
  let late = false;
  const unanswered = call.runtime.clock.setTimer(ANSWER_MS, () => {
    late = true;
    asking.cancel();
  });
  const answer = await asking.answer;
  unanswered.cancel();
  const heard = told as Told | null;
  if (answer.ok && answer.status !== 200) call.read(answer);
  if (heard === null) {
    if (late) {
      throw noAnswer(call.control.path, { ok: false, code: "timeout", detail: "no answer", begun: false });
    }
    call.read(answer);
    throw new VerbFailure(EXIT.failed, "garbage", `${call.control.path}: an answer without content`);
  }
  if (!answer.ok && answer.code === "timeout") {
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
  if (!answer.ok && answer.code === "garbage") throw noAnswer(call.control.path, answer);
  call.tell(heard, "stopped");
  return EXIT.done;
}
