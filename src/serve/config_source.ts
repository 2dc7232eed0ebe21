/** Where the configuration of a Sluice that serves comes from, for reading it anew. */

import type { Clock, System } from "../../runtime/contract/contract.ts";
import type { Flags } from "../config/options/layer.ts";
import type { Loaded, Rejected } from "../config/load.ts";
import { checkFiles, configPath, type FileFindings, filesOf, readConfig } from "./read_config.ts";

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
 * @param secrets of the files that `loaded` names: see `FileFindings.secrets`
 * @returns why it cannot be read anew, where that is so
 */
export function rereadable(
  clock: Clock,
  system: System,
  flags: Flags,
  loaded: Loaded,
  secrets = "",
): RereadableConfig | string {
  const path = configPath(system, flags);
  if (path === "-") return "The configuration came from standard input, which can be read but once.";
  return {
    loaded,
    secrets,
    read: () => readConfig(system, flags),
    check: (read) => checkFiles(system, read, clock.wall()),
    files: (read) => [...(path === "" ? [] : [path]), ...filesOf(read.config)],
  };
}
