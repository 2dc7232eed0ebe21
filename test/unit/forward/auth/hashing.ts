/** What the tests of this folder share. */
import { digests } from "../../../../runtime/shared/digests.ts";
import { parsePasswordHash } from "../../../../src/forward/auth/password_hash.ts";
import { utf8 } from "../../../../src/forward/auth/secret_bytes.ts";

/** Works a generator through. */
export function result<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** Whether a password fits a hash; throws for one that cannot be used. */
export function fits(hashText: string, password: string): boolean {
  const hash = parsePasswordHash(hashText);
  if (typeof hash === "string") throw new Error(`${hashText} ${hash}`);
  return result(hash.verify(utf8(password), digests));
}
