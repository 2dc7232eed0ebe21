/** Which Sluice this is. The build replaces the two names by literals (`--define`). */

import type { Runtime, System } from "../../runtime/contract/contract.ts";

declare const __SLUICE_VERSION__: unknown;
declare const __SLUICE_COMMIT__: unknown;

export interface VersionInfo {
  /** Like "0.1.0"; "dev" when run from source. */
  readonly version: string;
  /** Abbreviated commit; "" when run from source. */
  readonly commit: string;
  readonly runtime: string;
  readonly runtimeVersion: string;
  readonly platform: string;
}

/** The version alone, for the first line of help. */
export function versionText(): string {
  return typeof __SLUICE_VERSION__ === "string" ? __SLUICE_VERSION__ : "dev";
}

export function versionInfo(runtime: Runtime, system: System): VersionInfo {
  return {
    version: versionText(),
    commit: typeof __SLUICE_COMMIT__ === "string" ? __SLUICE_COMMIT__ : "",
    runtime: runtime.name,
    runtimeVersion: runtime.version,
    platform: system.platform,
  };
}

/** `sluice 0.1.0 (1a2b3c4), bun 1.4.5, linux`. */
export function formatVersion(info: VersionInfo): string {
  const commit = info.commit === "" ? "" : ` (${info.commit})`;
  return `sluice ${info.version}${commit}, ${info.runtime} ${info.runtimeVersion}, ${info.platform}`;
}
