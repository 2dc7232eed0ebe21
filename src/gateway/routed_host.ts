/** The host of a request as routes file it. */

import { parseAuthority } from "../http/target.ts";
import { hostKey } from "./router.ts";

/** The host without its port, as routes file it; "" when it cannot be read. */
export function routedHost(text: string): string {
  if (text === "") return "";
  return hostKey(parseAuthority(text)?.host ?? "");
}
