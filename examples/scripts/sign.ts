// Requests are signed on their way, so that the application believes nobody else.
import { createHmac } from "node:crypto";
import { next, type OnRequest } from "sluice";

const key = process.env["SIGN_KEY"] ?? "not secret";

export const onRequest: OnRequest = ({ method, uri }) =>
  next({ headers: { "X-Signature": createHmac("sha256", key).update(`${method} ${uri}`).digest("hex") } });
