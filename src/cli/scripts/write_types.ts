/** `sluice types`: what editors and compilers have to know of "sluice", written beside scripts. */

import { type System, SystemError } from "../../../runtime/contract/contract.ts";
import { DECLARATIONS } from "../../api/declarations.ts";
import { EXIT, type ExitCode } from "../../process/shared/exit_code.ts";
import { print, printError } from "../../serve/output.ts";
import { TEST_DECLARATIONS } from "./test_declarations.ts";

const FILE = "sluice.d.ts";
const CONFIG = "tsconfig.json";

/** For files that are checked, and stripped or bundled, but never compiled. */
const COMPILER: string = JSON.stringify(
  {
    compilerOptions: {
      target: "ES2024",
      lib: ["ES2024", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
      module: "Preserve",
      moduleResolution: "Bundler",
      moduleDetection: "force",
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
      resolveJsonModule: true,
    },
    include: ["*.ts", "**/*.ts"],
    exclude: ["node_modules"],
  },
  null,
  2,
) + "\n";

/** @param folder where; default: the working directory */
export async function writeTypes(system: System, folder = "."): Promise<ExitCode> {
  const path = (name: string) => folder === "." ? name : `${folder.replace(/\/+$/, "")}/${name}`;
  try {
    await system.writeText(path(FILE), `${DECLARATIONS.trim()}\n\n${TEST_DECLARATIONS.trim()}\n`);
    const written = [path(FILE)];
    if (await system.statusOf(path(CONFIG)) === null) {
      await system.writeText(path(CONFIG), COMPILER);
      written.push(path(CONFIG));
    }
    print(system, `wrote ${written.join(" and ")}\n`);
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    printError(system, `sluice types: ${path(FILE)}: ${error.message}\n`);
    return EXIT.failed;
  }
}
