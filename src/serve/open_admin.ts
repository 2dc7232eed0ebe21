/** Opens the admin listener that the configuration asks for. */

import {
  type Address,
  type Runtime,
  SocketFailure,
  type System,
  SystemError,
} from "../../runtime/contract/contract.ts";
import { LEAST_TOKEN } from "../admin/admin_action.ts";
import { AdminListener } from "../admin/admin_listener.ts";
import { printAddress } from "../config/values/address.ts";
import type { AdminConfig } from "../config/values/config.ts";
import type { ControlPlane } from "../control/plane.ts";
import type { Logger } from "../observe/logger.ts";
import { roomAside } from "../process/worker/descriptor_room.ts";
import { EXIT, type ExitCode } from "../process/shared/exit_code.ts";
import { named } from "../process/worker/files.ts";

export type AdminOpened =
  | { readonly ok: true; readonly admin: AdminListener | null }
  | { readonly ok: false; readonly code: ExitCode; readonly message: string };

/** @param onError a bug in what it shows */
export async function openAdmin(
  runtime: Runtime,
  system: System,
  config: AdminConfig | null,
  plane: ControlPlane,
  onError: (error: unknown) => void,
): Promise<AdminOpened> {
  if (config === null) return { ok: true, admin: null };
  const { address, actions, tokenFile } = config;
  try {
    const token = actions && tokenFile !== null ? await readToken(system, tokenFile) : null;
    const room = roomAside(system.descriptorLimit);
    const admin = await AdminListener.start(runtime, { address, token, plane, onError, ...room });
    return { ok: true, admin };
  } catch (error) {
    if (error instanceof SocketFailure) {
      const message = `admin: cannot listen on ${printAddress(address)}: ${error.message}`;
      return { ok: false, code: EXIT.bind, message };
    }
    if (!(error instanceof SystemError)) throw error;
    return { ok: false, code: EXIT.failed, message: error.message };
  }
}

/** Where it listens, which is told. */
export function adminAddresses(
  admin: AdminListener | null,
  logger: Pick<Logger, "info">,
): readonly Address[] {
  if (admin === null) return [];
  logger.info("admin", `status page and metrics on ${printAddress(admin.address)}`);
  return [admin.address];
}

/** @throws SystemError */
async function readToken(system: System, path: string): Promise<string> {
  const text = await named("admin_token_file: cannot be read", () => system.readText(path));
  const token = (text.split("\n")[0] ?? "").trim();
  if (/^[\x21-\x7e]+$/.test(token) && token.length >= LEAST_TOKEN) return token;
  const message = `its first line must be ${LEAST_TOKEN} or more visible characters of ASCII`;
  throw new SystemError("", `admin_token_file: ${path}: ${message}`);
}
