// Another service is asked who it is, for every request; what it says goes along.
import { ask, next, type OnRequest, reject } from "sluice";

const denied = reject(403, "you may not");

export const onRequest: OnRequest = async ({ headers, signal }) => {
  const seen = await ask("auth", {
    uri: "/check",
    headers: { Cookie: headers.get("cookie") ?? "" },
    timeoutMs: 500,
    signal,
  });
  return seen.status === 200 ? next({ headers: { "X-User": seen.headers.get("x-user") } }) : denied;
};
