/**
 * Secrets of credentials: where they are read from, and what is wrong with them. `check`, the start, each worker and reloads read
 * them here. No message has a secret in it.
 */

import {
  type Capabilities,
  type Clock,
  type CommandExit,
  type System,
  SystemError,
} from "../../../runtime/contract/contract.ts";
import type { CredentialConfig, SecretConfig } from "../../config/values/config.ts";
import { SecretFailure, type SecretSource, type SecretText, tokenEnd } from "../../credentials/secret.ts";

/** A token of RFC 6750 §2.1. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
/** Longest secret, in characters. */
const MAX_CHARS = 16 * 1024;
/** A command has so long to print a token, milliseconds. */
const COMMAND_MS = 30_000;

/** What is wrong with the secret of a credential, in words that go on after the path of its option. */
export interface CredentialFinding {
  readonly credential: string;
  /** "" = the entry as a whole. */
  readonly option: string;
  readonly words: string;
}

/** Where a secret comes from; null = there is none. */
export function secretSource(system: System, clock: Clock, secret: SecretConfig): SecretSource | null {
  if (secret.kind !== "command") return storedSecret(system, secret);
  return { changes: "command", read: () => commandToken(system, clock, secret) };
}

/** The same of what is not made by a command, which is null as well. */
function storedSecret(system: System, secret: SecretConfig): SecretSource | null {
  if (secret.kind === "file") {
    const { path, what } = secret;
    const read = async () => {
      const text = await readFile(system, path);
      return always(what === "token" ? tokenOf(text, path) : passwordOf(text, path));
    };
    return { changes: "file", read };
  }
  if (secret.kind === "sample") return { changes: "never", read: () => Promise.resolve(always("sample")) };
  if (secret.kind !== "env") return null;
  const { variable } = secret;
  const text = system.env[variable] ?? "";
  return {
    changes: "never",
    read: () => {
      if (text === "") {
        return Promise.reject(new SecretFailure(`there is no environment variable ${variable}`));
      }
      return Promise.resolve().then(() => always(passwordOf(text, variable)));
    },
  };
}

async function readFile(system: System, path: string): Promise<string> {
  try {
    return await system.readText(path);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new SecretFailure(`cannot be read: ${error.message}`);
  }
}

function always(text: string): SecretText {
  return { text, validUntil: Infinity };
}

function passwordOf(text: string, place: string): string {
  const password = text.replace(/\r?\n$/, "");
  if (password === "") throw new SecretFailure(`${place} is empty`);
  // deno-lint-ignore no-control-regex -- control characters are what must not be in it
  if (/[\u0000-\u001f\u007f]/.test(password)) {
    throw new SecretFailure(`${place} must hold one line, without control characters`);
  }
  if (password.length > MAX_CHARS) throw new SecretFailure(`${place} is too long`);
  return password;
}

function tokenOf(text: string, place: string): string {
  const token = text.trim();
  if (token === "") throw new SecretFailure(`${place} is empty`);
  if (token.length > MAX_CHARS || !TOKEN.test(token)) {
    throw new SecretFailure(`${place} does not hold a token (RFC 6750 §2.1)`);
  }
  return token;
}

/** Runs the command. What it says on standard error goes to ours. */
function commandToken(
  system: System,
  clock: Clock,
  { command, cacheMs }: SecretConfig & { readonly kind: "command" },
): Promise<SecretText> {
  return new Promise((resolve, reject) => {
    const decoder = new TextDecoder();
    let printed = "";
    /** Null while it runs; "" = it has ended well. */
    let exit: string | null = null;
    let outputEnded = false;
    const fail = (words: string) => reject(new SecretFailure(`the token command ${command[0]} ${words}`));
    const kill = (words: string) => {
      fail(words);
      child.signal("SIGKILL");
    };
    const finish = () => {
      if (exit === null || (exit === "" && !outputEnded)) return;
      timer.cancel();
      if (exit !== "") {
        fail(exit);
        return;
      }
      try {
        const text = tokenOf(printed, `what ${command[0]} prints`);
        resolve({ text, validUntil: tokenEnd(text) ?? clock.wall() + cacheMs });
      } catch (error) {
        reject(error);
      }
    };
    const child = system.spawn({
      command,
      env: {},
      folder: null,
      stdin: "ignore",
      stdout: "events",
      stderr: 2,
      ownGroup: false,
      endsWithUsMs: null,
    }, {
      output(_fd, bytes) {
        if (printed.length > MAX_CHARS) return;
        printed += decoder.decode(bytes, { stream: true });
        if (printed.length > MAX_CHARS) kill("prints too much");
      },
      outputEnded() {
        outputEnded = true;
        finish();
      },
      exited(how) {
        exit = exitWords(how);
        finish();
      },
    });
    const timer = clock.setTimer(COMMAND_MS, () => kill("takes longer than 30 s"));
  });
}

/** "" = it has ended well. */
function exitWords({ code, signal, failure }: CommandExit): string {
  if (failure !== "") return failure;
  if (signal !== "") return `was ended by ${signal}`;
  return code === 0 ? "" : `ended with code ${code}`;
}

/** What the platform cannot do that the credential needs; null = nothing. */
export function lackOf(
  system: System,
  { commands }: Pick<Capabilities, "commands">,
  { secret, schemes, helper }: CredentialConfig,
): { readonly option: string; readonly words: string } | null {
  const words = "commands cannot be run on this platform";
  if (secret.kind === "command" && !commands) return { option: "token_command", words };
  if (helper !== null && !commands) return { option: "helper", words };
  if (
    !schemes.includes("negotiate") || helper !== null || secret.kind === "sample" || system.tokens !== null
  ) return null;
  return {
    option: "scheme",
    words:
      "tokens for negotiate cannot be made here: install libgssapi_krb5 (MIT Kerberos) for the executable or Bun, or name a " +
      "program that makes them (helper)",
  };
}

/** Reads what can be read without running anything. Never throws. */
export async function readCredentialFiles(
  system: System,
  credentials: readonly CredentialConfig[],
): Promise<{ readonly faults: readonly CredentialFinding[]; readonly fingerprint: string }> {
  const faults: CredentialFinding[] = [];
  const prints: string[] = [];
  for (const config of credentials) {
    const { name, secret } = config;
    const lack = lackOf(system, { commands: true }, config);
    if (lack !== null) faults.push({ credential: name, ...lack });
    const source = storedSecret(system, secret);
    if (source === null) continue;
    try {
      const { text } = await source.read();
      // A token is read anew when it changes: it is no other configuration.
      if ("what" in secret && secret.what === "password") prints.push(fingerprintOf(system, text));
    } catch (error) {
      if (!(error instanceof SecretFailure)) throw error;
      faults.push({ credential: name, option: optionOf(secret), words: error.message });
    }
  }
  return { faults, fingerprint: prints.join(",") };
}

/** Equal for equal secrets; nothing can be read from it. */
export function fingerprintOf({ digests }: System, text: string): string {
  return Array.from(digests.digest("sha256", new TextEncoder().encode(text)), (byte) => byte.toString(16))
    .join(".");
}

export function optionOf(secret: SecretConfig): string {
  return !("what" in secret) ? "" : `${secret.what}_${secret.kind}`;
}
