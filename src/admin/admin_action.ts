/**
 * What the buttons of the status page ask for. A request must carry the token, in the field Authorization
 * or in the form; nothing that a browser sends by itself counts, so no other page can make it act.
 */

import { heldWords } from "../process/worker/pause_owner.ts";
import type { ControlPlane, Outcome } from "../control/plane.ts";
import { markup } from "./page/html.ts";
import { errorReply, type HttpRequest, jsonReply, type TextReply } from "../server/http_message.ts";
import { REFUSALS } from "./refusal_table.ts";

export const ACTIONS_PATH = "/actions";

/** A token must be as long as this. */
export const LEAST_TOKEN = 16;

export type AdminPlane = Pick<ControlPlane, "pause" | "resume" | "drain" | "undrain">;

/** Time that WebSockets of a drained endpoint get. Milliseconds. */
const DRAIN_WINDOW_MS = 30_000;

/**
 * @param token null = actions are not allowed
 * @param pageHeaders for an answer that a browser shows
 */
export async function answerAction(
  request: HttpRequest,
  token: string | null,
  plane: AdminPlane,
  pageHeaders: Readonly<Record<string, string>>,
): Promise<TextReply> {
  if (token === null) {
    return errorReply(403, "not_possible", "Actions are off; --admin-actions and a token allow them.");
  }
  const form = new URLSearchParams(request.body);
  const reply = (status: number, code: string, message: string): TextReply => {
    if ((request.header("accept") ?? "").includes("application/json")) {
      return status === 200 ? jsonReply(200, { message }) : errorReply(status, code, message);
    }
    if (status === 200) return { ...page(303, message), headers: { ...pageHeaders, Location: "/" } };
    return { ...page(status, message), headers: pageHeaders };
  };
  if (!sameOrigin(request)) return reply(403, "forbidden", "The request comes from another page.");
  const bearer = /^Bearer +(\S+)$/i.exec(request.header("authorization") ?? "")?.[1];
  if (!sameText(bearer ?? form.get("token") ?? "", token)) {
    return reply(401, "unauthorized", "The token is not right; nothing was done.");
  }
  const action = new URLSearchParams(form.get("action") ?? "");
  const upstream = action.get("upstream");
  const endpoint = action.get("endpoint");
  const wanted = action.get("do");
  let outcome: Outcome<object>;
  let done: string;
  if (wanted === "pause") {
    outcome = await plane.pause(upstream, 0, null);
    done = `${upstream ?? "Everything"} is paused: new requests wait.`;
  } else if (wanted === "resume") {
    const resumed = await plane.resume(upstream);
    outcome = resumed;
    done = resumed.ok && resumed.still_paused.length > 0
      ? `${heldWords(resumed.still_paused)}.`
      : `${upstream ?? "Everything"} goes on.`;
  } else if (wanted === "drain" && endpoint !== null) {
    outcome = await plane.drain(endpoint, upstream, DRAIN_WINDOW_MS, false);
    done = `${endpoint} gets no new requests.`;
  } else if (wanted === "undrain" && endpoint !== null) {
    outcome = await plane.undrain(endpoint, upstream);
    done = `${endpoint} gets requests again.`;
  } else {
    return reply(400, "bad_request", "There is no such action.");
  }
  if (outcome.ok) return reply(200, "", done);
  return reply(REFUSALS[outcome.code].status, outcome.code, outcome.message);
}

function page(status: number, message: string): TextReply {
  const head = markup`<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>Sluice</title>`;
  const body = markup`${head}<p>${message}</p><p><a href="/">Back</a></p></html>\n`;
  return { status, contentType: "text/html; charset=utf-8", body: body.text };
}

/** Browsers name the page that a POST comes from; other clients leave it out. */
function sameOrigin(request: HttpRequest): boolean {
  const origin = request.header("origin");
  if (origin === null) return true;
  return origin.toLowerCase() === `http://${request.header("host") ?? ""}`.toLowerCase();
}

/** Takes the same time wherever the two differ. */
export function sameText(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let at = 0; at < expected.length; at++) {
    // Past its end `given` has NaN there, which counts as 0: the lengths differ anyway.
    difference |= given.charCodeAt(at) ^ expected.charCodeAt(at);
  }
  return difference === 0;
}
