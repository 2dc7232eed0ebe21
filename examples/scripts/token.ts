// /admin needs a token, and the application never sees it. `under` cannot be walked around: see "Paths".
import { createHash, timingSafeEqual } from "node:crypto";
import { next, type OnRequest, reject } from "sluice";

const digest = (text: string) => createHash("sha256").update(text).digest();
const wanted = digest(`Bearer ${process.env["ADMIN_TOKEN"] ?? "let me in"}`);
const denied = reject(401, "a token is needed", { "WWW-Authenticate": "Bearer" });
const admitted = next({ headers: { Authorization: null } });

export const onRequest: OnRequest = (request) => {
  if (!request.under("/admin")) return undefined;
  return timingSafeEqual(digest(request.headers.get("authorization") ?? ""), wanted) ? admitted : denied;
};
