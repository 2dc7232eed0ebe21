/** Who may use a Unix socket: names of the configuration become numbers. */

import { type System, SystemError, type UnixAccess } from "../../../runtime/contract/contract.ts";
import type { UnixNames } from "../../config/values/config.ts";

/**
 * @param names as the configuration has them
 * @param prefix of the options, for errors: "unix."
 * @throws SystemError when a name is not known
 */
export async function unixAccess(system: System, names: UnixNames, prefix: string): Promise<UnixAccess> {
  return {
    mode: names.mode,
    owner: await numberOf(system, names.owner, `${prefix}owner`, "user", "/etc/passwd"),
    group: await numberOf(system, names.group, `${prefix}group`, "group", "/etc/group"),
  };
}

/** Lines of both files are `name:password:number:...`, see passwd(5) and group(5). */
async function numberOf(
  system: System,
  name: string | null,
  option: string,
  kind: string,
  file: string,
): Promise<number | null> {
  if (name === null) return null;
  if (/^\d+$/.test(name)) return Number(name);
  let text = "";
  try {
    text = await system.readText(file);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
  for (const line of text.split("\n")) {
    const [known = "", , number = ""] = line.split(":");
    if (known === name && /^\d+$/.test(number)) return Number(number);
  }
  throw new SystemError("", `${option}: there is no ${kind} ${name} in ${file}: give its number`);
}
