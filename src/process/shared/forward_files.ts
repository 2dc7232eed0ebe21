/**
 * The files of `forward.users`, `forward.digest_file` and `forward.tokens`: read, and judged before anything depends on them. `check`, the start, each
 * worker and reloads read them here.
 */

import { type System, SystemError } from "../../../runtime/contract/contract.ts";
import type { ForwardConfig } from "../../config/values/config.ts";
import { type BearerTokens, parseBearerTokens } from "../../forward/auth/bearer_tokens.ts";
import { type Htdigest, parseHtdigest } from "../../forward/auth/htdigest.ts";
import { type Htpasswd, parseHtpasswd } from "../../forward/auth/htpasswd.ts";
import type { SecretFileProblem } from "../../forward/auth/secret_file.ts";

export type ForwardFileOption = "users" | "digest_file" | "tokens";

/** Something about the file of an option, in words that go on after its name. */
export interface ForwardFinding {
  readonly option: ForwardFileOption;
  readonly words: string;
}

/** Null = the option is not given. */
export interface ForwardSecrets {
  readonly users: Htpasswd | null;
  readonly digestUsers: Htdigest | null;
  readonly tokens: BearerTokens | null;
}

export interface ForwardFiles extends ForwardSecrets {
  /** Why they cannot be used; empty = they can. Never with a password or a token in it. */
  readonly faults: readonly ForwardFinding[];
  /** What can be used, but is probably not meant. */
  readonly warnings: readonly ForwardFinding[];
  /** Equal for files that hold the same; "" = there are none. A digest: nothing can be read from it. */
  readonly fingerprint: string;
}

/** Reads the files, and every line of them. Never throws. */
export async function readForwardFiles(system: System, forward: ForwardConfig): Promise<ForwardFiles> {
  const { usersFile, digestFile, tokensFile } = forward;
  const faults: ForwardFinding[] = [];
  const warnings: ForwardFinding[] = [];
  const read = async (option: ForwardFileOption, path: string | null): Promise<string | null> => {
    if (path === null) return null;
    try {
      return await system.readText(path);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      faults.push({ option, words: `cannot be read: ${error.message}` });
      return null;
    }
  };
  const blame = (option: ForwardFileOption, path: string | null, problems: readonly SecretFileProblem[]) => {
    for (const { line, message } of problems) faults.push({ option, words: `${path}:${line}: ${message}` });
  };
  const usersText = await read("users", usersFile);
  const digestText = await read("digest_file", digestFile);
  const tokensText = await read("tokens", tokensFile);
  const users = usersText === null ? null : parseHtpasswd(usersText, system.digests);
  const digestUsers = digestText === null ? null : parseHtdigest(digestText, system.digests);
  const tokens = tokensText === null ? null : parseBearerTokens(tokensText, system.digests);
  if (users?.kind === "faults") blame("users", usersFile, users.problems);
  if (digestUsers?.kind === "faults") blame("digest_file", digestFile, digestUsers.problems);
  if (tokens?.kind === "faults") blame("tokens", tokensFile, tokens.problems);
  const known = {
    users: users?.kind === "ok" ? users.users : null,
    digestUsers: digestUsers?.kind === "ok" ? digestUsers.users : null,
    tokens: tokens?.kind === "ok" ? tokens.tokens : null,
  };
  if (known.users?.size === 0) warnings.push({ option: "users", words: `${usersFile} names nobody` });
  if (known.digestUsers?.size === 0) {
    warnings.push({ option: "digest_file", words: `${digestFile} names nobody` });
  }
  if (known.tokens?.size === 0) warnings.push({ option: "tokens", words: `${tokensFile} names nobody` });
  const fingerprint = [usersText, digestText, tokensText].map((text) =>
    text === null ? "" : digestOf(system, text)
  ).join(
    "",
  );
  return { ...known, faults, warnings, fingerprint };
}

function digestOf({ digests }: System, text: string): string {
  return Array.from(digests.digest("sha256", new TextEncoder().encode(text)), (byte) => byte.toString(16))
    .join(".");
}

/**
 * What the files say that can be used.
 *
 * @throws SystemError with the first fault, and the option's name and the file in its message
 */
export async function usableForwardFiles(
  system: System,
  forward: ForwardConfig,
): Promise<ForwardSecrets & Pick<ForwardFiles, "fingerprint">> {
  const { users, digestUsers, tokens, fingerprint, faults: [fault] } = await readForwardFiles(
    system,
    forward,
  );
  if (fault === undefined) return { users, digestUsers, tokens, fingerprint };
  throw new SystemError("", `forward.${fault.option}: ${fault.words}`);
}
