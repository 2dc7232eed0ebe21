/** Does what the command line says. */

import type { Runtime, System } from "../../runtime/contract/contract.ts";
import { formatProblem } from "../config/values/problem.ts";
import { type Arguments, parseArguments } from "./arguments.ts";
import { commandNamed } from "./commands.ts";
import { completions, SHELLS } from "./reference/completions.ts";
import { rereadable } from "../serve/config_source.ts";
import { demo } from "./demo/demo.ts";
import { EXIT } from "../process/shared/exit_code.ts";
import { explainOffline, explainsOffline } from "./verbs/explain_verb.ts";
import { commandHelp, generalHelp } from "./reference/help.ts";
import { manualPage } from "./reference/manual_page.ts";
import { OutputFailure, print, printError, printProblems, printWarnings } from "../serve/output.ts";
import { readConfig } from "../serve/read_config.ts";
import type { Serve } from "./serve.ts";
import { runThrough } from "./through/through.ts";
import { allFindings, check, showConfig } from "./show_config.ts";
import { testScript } from "./scripts/test_script.ts";
import { writeTypes } from "./scripts/write_types.ts";
import { isVerb, runVerb } from "./verbs/verbs.ts";
import { formatVersion, versionInfo } from "../serve/version.ts";

const INTRODUCTION = `sluice: nothing says where requests should go

  sluice --to 3000               serve on :8080, send everything to 127.0.0.1:3000
  sluice --config sluice.yaml    serve what the file says
  sluice --forward               be a forward proxy on 127.0.0.1:3128
  sluice demo                    see it at work, with a backend that keeps going away
  sluice --help                  everything else
`;

/** Runs the command of `system.args`; resolves with the exit code. */
export async function run(runtime: Runtime, system: System, serve: Serve): Promise<number> {
  try {
    return await runCommand(runtime, system, serve);
  } catch (error) {
    if (!(error instanceof OutputFailure)) throw error;
    printError(system, `sluice: ${error.message}\n`);
    return EXIT.failed;
  }
}

async function runCommand(runtime: Runtime, system: System, serve: Serve): Promise<number> {
  const args = parseArguments(system.args);
  if (args.problems.length > 0) {
    printProblems(system, [...args.problems, 'try "sluice --help"']);
    return EXIT.usage;
  }
  if (args.help || args.command === "help") return help(system, args);
  if (args.command === "explain" && explainsOffline(system, args)) {
    return await explainOffline(runtime, system, args);
  }
  if (isVerb(args.command)) return await runVerb(runtime, system, args, args.command);
  switch (args.command) {
    case "completions": {
      const shell = SHELLS.find((name) => name === args.operands[0]);
      if (shell !== undefined) print(system, completions(shell));
      else printError(system, `sluice completions: there are ${SHELLS.join(", ")}\n`);
      return shell === undefined ? EXIT.usage : EXIT.done;
    }
    case "man":
      print(system, manualPage());
      return EXIT.done;
    case "version": {
      const info = versionInfo(runtime, system);
      print(system, (args.own.has("json") ? JSON.stringify(info) : formatVersion(info)) + "\n");
      return EXIT.done;
    }
    case "types":
      return await writeTypes(system, args.operands[0]);
    case "test":
      return await testScript(runtime, system, args);
    case "demo":
      return await demo(runtime, system, args.flags, args.own.get("away"), serve);
    case "check":
    case "config":
    case "serve":
      return await configured(runtime, system, args, serve);
  }
}

async function configured(runtime: Runtime, system: System, args: Arguments, serve: Serve): Promise<number> {
  const result = await readConfig(system, args.flags);
  if (args.command === "check") return await check(runtime, system, result, args.own.has("json"));
  if (!result.ok) {
    if (result.nothingToServe && args.command === "serve" && args.flags["config"] === undefined) {
      printError(system, INTRODUCTION);
    } else {
      printProblems(system, result.problems.map(formatProblem));
    }
    return EXIT.usage;
  }
  if (args.command === "config") return showConfig(system, result, args.own.has("json"));
  const found = await allFindings(runtime.clock, system, result);
  const { problems, warnings } = found;
  printWarnings(system, warnings);
  if (problems.length > 0) {
    printProblems(system, problems.map(formatProblem));
    return EXIT.usage;
  }
  const source = rereadable(runtime.clock, system, args.flags, result, found);
  const { through } = result.config.process;
  if (through !== null) return await runThrough(runtime, system, result.config, through, source, serve);
  return await serve(runtime, system, result.config, { source });
}

function help(system: System, args: Arguments): number {
  const name = args.command === "help" ? args.operands[0] ?? "serve" : args.command;
  const command = commandNamed(name);
  print(system, command === null ? generalHelp() : commandHelp(command));
  return EXIT.done;
}
