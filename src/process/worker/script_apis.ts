/** What `import … from "sluice"` gives to a script in a worker. */

import type { ScriptApis } from "../../../runtime/contract/contract.ts";
import type { ScriptLog } from "../../observe/script_log.ts";
import type { Fields } from "../../observe/logger.ts";

/** @param script as its path was written */
export function scriptApis(
  script: string,
  log: ScriptLog,
  { index, count }: { readonly index: number; readonly count: number },
): ScriptApis {
  return {
    sluice: {
      log: (words: unknown, fields?: unknown) => log.print(script, "info", String(words), fieldsOf(fields)),
      worker: Object.freeze({ index, count }),
    },
  };
}

/** What a script gives as fields, as far as a log line can have them. */
function fieldsOf(given: unknown): Fields {
  if (typeof given !== "object" || given === null) return {};
  const fields: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(given)) {
    fields[name.replace(/[^\w.-]/g, "_")] = typeof value === "number" || typeof value === "boolean"
      ? value
      : typeof value === "string"
      ? value
      : JSON.stringify(value) ?? String(value);
  }
  return fields;
}
