/** Looks into the files that a configuration names: of certificates, and of who may use the forward proxy. */

import type { ScriptProblem, System } from "../../runtime/contract/contract.ts";
import type { Config } from "../config/values/config.ts";
import type { Loaded } from "../config/load.ts";
import { type Origin, type Problem, problemAt } from "../config/values/problem.ts";
import { checkScripts } from "../process/shared/script_files.ts";
import { readCredentialFiles } from "../process/shared/credential_files.ts";
import { parentPasswordFaults, passwordFiles } from "../process/shared/parent_passwords.ts";
import { type ForwardFinding, readForwardFiles } from "../process/shared/forward_files.ts";
import {
  readTlsFiles,
  serverTlsPaths,
  type TlsFinding,
  type TlsPaths,
  tlsRefusal,
  tlsWarnings,
  upstreamTlsPaths,
} from "../process/shared/tls_files.ts";

/** What `checkFiles` found. */
export interface FileFindings {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** See `ForwardFiles.fingerprint`. */
  readonly secrets: string;
  /** All files of scripts, as far as they are known without running them. */
  readonly scriptFiles: readonly string[];
}

/**
 * Reads the files that the configuration names, of certificates and of who may use the forward proxy, and looks into them.
 *
 * @param now wall-clock milliseconds
 */
export async function checkFiles(system: System, loaded: Loaded, now: number): Promise<FileFindings> {
  const findings: { problems: Problem[]; warnings: Problem[] } = { problems: [], warnings: [] };
  const seen = new Set<string>();
  for (const [prefix, paths] of tlsPathsOf(loaded.config)) {
    // Upstreams share the options of the top level: what is wrong with them is told once.
    const same = JSON.stringify(paths);
    if (seen.has(same)) continue;
    seen.add(same);
    const files = await readTlsFiles(system, paths);
    const at = ({ option, words }: TlsFinding) =>
      problemAt(originOf(loaded, prefix + option), prefix + option, words);
    findings.problems.push(...files.faults.map(at));
    if (files.faults.length > 0) continue;
    const refusal = tlsRefusal(system, files);
    if (refusal !== null) findings.problems.push(at(refusal));
    findings.warnings.push(...tlsWarnings(files, now).map(at));
  }
  const scripts = await checkScripts(system, loaded.config);
  findings.problems.push(...scripts.problems.map((problem) => scriptProblem(loaded, problem)));
  findings.warnings.push(...scripts.warnings.map((problem) => scriptProblem(loaded, problem)));
  if (loaded.config.script?.guard === "always" && system.scripts.guard(1000) === null) {
    const words = "always: calls cannot be ended here, only in the executable and on Bun: use auto or never";
    findings.problems.push(problemAt(originOf(loaded, "script.guard"), "script.guard", words));
  }
  const scriptFiles = scripts.files;
  const { forward, credentials } = loaded.config;
  const own = await readCredentialFiles(system, credentials);
  for (const { credential, option, words } of own.faults) {
    const path = `credentials.${credential}`;
    findings.problems.push(problemAt(originOf(loaded, path), `${path}.${option}`, words));
  }
  if (forward === null) return { ...findings, secrets: own.fingerprint, scriptFiles };
  const { faults, warnings, fingerprint } = await readForwardFiles(system, forward);
  const at = ({ option, words }: ForwardFinding) => {
    const path = `forward.${option}`;
    return problemAt(originOf(loaded, path), path, words);
  };
  findings.problems.push(...faults.map(at));
  for (const words of await parentPasswordFaults(system, forward)) {
    findings.problems.push(
      problemAt(originOf(loaded, "forward.parents"), "forward", `password_file ${words}`),
    );
  }
  findings.warnings.push(...warnings.map(at));
  return { ...findings, secrets: `${fingerprint}${own.fingerprint}`, scriptFiles };
}

/** In the script's file; where it has no place there, at the place that names the script. */
function scriptProblem(loaded: Loaded, { file, line, column, message }: ScriptProblem): Problem {
  const use = line === 0 ? loaded.scripts.find((each) => each.file === file) : undefined;
  if (use !== undefined) return problemAt(use.origin, use.path, `${file}: ${message}`);
  const place = { line: line === 0 ? null : line, column: line === 0 ? null : column };
  return { source: "file", name: file, path: "", ...place, message, suggestion: null };
}

/** Beginnings of option paths, and the files that these options name. */
function tlsPathsOf(config: Config): readonly (readonly [prefix: string, paths: TlsPaths])[] {
  const server = serverTlsPaths(config);
  return [
    ...(server === null ? [] : [["tls.", server] as const]),
    ...config.upstreams.map((upstream) =>
      [`upstreams.${upstream.name}.upstream_tls.`, upstreamTlsPaths(upstream)] as const
    ),
  ];
}

/** Files that the configuration names; each once. */
export function filesOf(config: Config): readonly string[] {
  const named = tlsPathsOf(config).flatMap(([, { ca, cert, key }]) => [cert, key, ca]);
  const passwords = config.credentials.map(({ secret }) =>
    secret.kind === "file" && secret.what === "password" ? secret.path : null
  );
  const { usersFile = null, digestFile = null, tokensFile = null } = config.forward ?? {};
  const secrets = [usersFile, digestFile, tokensFile, ...passwords, ...passwordFiles(config.forward)];
  return [...new Set([...named, ...secrets].filter((file) => file !== null))];
}

function originOf(loaded: Loaded, path: string): Origin {
  const origin = loaded.origins.get(path) ?? loaded.origins.get(path.replace(/^upstreams\.[^.]*\./, ""));
  if (origin === undefined) throw new Error(`no origin is known for ${path}`);
  return origin;
}
