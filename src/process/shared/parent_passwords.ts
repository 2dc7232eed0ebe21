/** Passwords of parent proxies that are in files: read at the start and by each reload, as a part of the configuration. */

import { type System, SystemError } from "../../../runtime/contract/contract.ts";
import { allParents, areShared, withPasswords } from "../../config/build_forward.ts";
import type { Config, ForwardConfig, ProxyParentConfig } from "../../config/values/config.ts";

const MOST_CHARACTERS = 1024;

/** Paths of the files; one may be there twice. */
export function passwordFiles(forward: ForwardConfig | null): readonly string[] {
  if (forward === null) return [];
  return allParents(forward).flatMap(({ parents }) => parents).flatMap((parent) =>
    parent.kind === "direct" ? [] : [parent.passwordFile, parent.via?.passwordFile ?? null]
  ).filter((path) => path !== null);
}

/** What is wrong with the files, in words that go on after `password_file`. Empty = all can be used. Never throws. */
export async function parentPasswordFaults(
  system: System,
  forward: ForwardConfig,
): Promise<readonly string[]> {
  const { faults } = await readPasswords(system, forward);
  return faults;
}

/**
 * The same configuration with the passwords in it. It must not be printed, nor told of.
 *
 * @throws SystemError with the first fault
 */
export async function withParentPasswords(system: System, config: Config): Promise<Config> {
  const { forward } = config;
  if (forward === null) return config;
  const { passwords, faults: [fault] } = await readPasswords(system, forward);
  if (fault !== undefined) throw new SystemError("", `forward: password_file ${fault}`);
  if (passwords.size === 0) return config;
  const of = ({ passwordFile }: ProxyParentConfig) => passwords.get(passwordFile ?? "") ?? null;
  const { byDefault } = forward;
  const known: ForwardConfig = {
    ...forward,
    byRule: forward.byRule.map((parents) => withPasswords(parents, of)),
    byDefault: byDefault === null ? null : withPasswords(byDefault, of),
  };
  const shared = new Map(
    allParents(known).filter(areShared).map(({ upstream }) => [upstream.name, upstream]),
  );
  const upstreams = config.upstreams.map((upstream) => shared.get(upstream.name) ?? upstream);
  return { ...config, upstreams, forward: known };
}

async function readPasswords(
  system: System,
  forward: ForwardConfig,
): Promise<{ readonly passwords: ReadonlyMap<string, string>; readonly faults: readonly string[] }> {
  const passwords = new Map<string, string>();
  const faults: string[] = [];
  for (const path of new Set(passwordFiles(forward))) {
    try {
      const password = firstLine(await system.readText(path));
      // deno-lint-ignore no-control-regex -- control characters are what must not be in it
      if (password === "" || password.length > MOST_CHARACTERS || /[\x00-\x1f\x7f]/.test(password)) {
        faults.push(`${path}: the first line must be a password of 1 to ${MOST_CHARACTERS} characters`);
      } else passwords.set(path, password);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      faults.push(`${path} cannot be read: ${error.message}`);
    }
  }
  return { passwords, faults };
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? "";
}
