/** Where the configuration of a Sluice that serves comes from, for reading it anew. */

import type { Clock, System } from "../../runtime/contract/contract.ts";
import type { Flags } from "../config/options/layer.ts";
import type { Loaded, Rejected } from "../config/load.ts";
import { isOwn } from "../process/shared/script_files.ts";
import { checkFiles, type FileFindings, filesOf } from "./check_files.ts";
import { configPath, readConfig } from "./read_config.ts";

const NO_FINDINGS = { secrets: "", scriptFiles: [] };

export interface RereadableConfig {
  readonly loaded: Loaded;
  /** Of the files that it names: see `FileFindings.secrets`. */
  readonly secrets: string;
  read(): Promise<Loaded | Rejected>;
  check(loaded: Loaded): Promise<FileFindings>;
  /** The files that it was read from, or that it names. */
  files(loaded: Loaded): readonly string[];
}

/**
 * @param findings in the files that `loaded` names
 * @returns why it cannot be read anew, where that is so
 */
export function rereadable(
  clock: Clock,
  system: System,
  flags: Flags,
  loaded: Loaded,
  { secrets, scriptFiles }: Pick<FileFindings, "secrets" | "scriptFiles"> = NO_FINDINGS,
): RereadableConfig | string {
  const path = configPath(system, flags);
  if (path === "-") return "The configuration came from standard input, which can be read but once.";
  // Those of scripts that have faults as well: when they are mended it may be tried again.
  let ofScripts = scriptFiles;
  return {
    loaded,
    secrets,
    read: () => readConfig(system, flags),
    check: async (read) => {
      const found = await checkFiles(system, read, clock.wall());
      ofScripts = found.scriptFiles;
      return found;
    },
    files: (read) => [...(path === "" ? [] : [path]), ...filesOf(read.config), ...ofScripts.filter(isOwn)],
  };
}
