/** Makes the effective configuration out of flags, environment and the file of `--config`. */

import { readYaml } from "./file/yaml_file.ts";
import { loadDocuments, type Loaded, type Rejected, type Sources as DocumentSources } from "./load.ts";

/** Everything a configuration is made of. */
export interface Sources extends Pick<DocumentSources, "flags" | "env"> {
  /** The file of `--config`, already read. */
  readonly file: { readonly path: string; readonly text: string } | null;
}

/** Never throws, whatever the sources hold. Touches no file: paths in the configuration are not looked at. */
export function loadConfig({ flags, env, file }: Sources): Loaded | Rejected {
  return loadDocuments({ flags, env, documents: file === null ? [] : [readYaml(file.path, file.text)] });
}
