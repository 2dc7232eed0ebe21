/**
 * A password or a token, and where it comes from. It is read anew when it may have changed: a secret that was replaced must not need a
 * restart, least of all one that has just been refused.
 */

/** What has been read. */
export interface SecretText {
  readonly text: string;
  /** Wall-clock milliseconds after which it is not to be used; Infinity = always. */
  readonly validUntil: number;
}

/** In words for people, without the secret. */
export class SecretFailure extends Error {
  override readonly name = "SecretFailure";
}

export interface SecretSource {
  /**
   * - `never`: it stays as it is
   * - `file`: it may be another one any time, and is quickly read
   * - `command`: it is made, which takes time
   */
  readonly changes: "never" | "file" | "command";
  /** @throws SecretFailure */
  read(): Promise<SecretText>;
}

/** Least time between two looks at a file that nothing is wrong with; milliseconds. */
const LOOK_MS = 1000;
/** A token is replaced while it is still good for so long; milliseconds. */
const EARLY_MS = 10_000;
/** After a failure the source is left alone for so long; milliseconds. */
const PAUSE_MS = 1000;

export class Secret {
  readonly #source: SecretSource;
  #text: string | null = null;
  #validUntil = 0;
  #lookedAt = -Infinity;
  #failure = "";
  #failedAt = -Infinity;
  /** One look at a time. */
  #look: Promise<boolean> | null = null;
  /** Counts the secrets that there have been. */
  generation = 0;

  /** @param first what has been read already; null = nothing */
  constructor(source: SecretSource, first: SecretText | null) {
    this.#source = source;
    if (first !== null) this.#accept(first);
  }

  /** Null while there is none that may be used. A method, so that nothing that lists properties finds it. */
  text(wallMs: number): string | null {
    return wallMs < this.#validUntil ? this.#text : null;
  }

  /** It can become another one. */
  get mayChange(): boolean {
    return this.#source.changes !== "never";
  }

  /** Why there is none; "" = there is one, or nobody has looked. */
  get failure(): string {
    return this.#failure;
  }

  /**
   * Sees to it before it is used. Times in milliseconds, `now` on the monotonic clock.
   *
   * @returns null = what there is may be used at once; else resolves when the look is over
   */
  prepare(now: number, wallMs: number): Promise<boolean> | null {
    if (this.#source.changes === "never") return null;
    if (this.text(wallMs) === null) {
      return now - this.#failedAt < PAUSE_MS && this.#failure !== "" ? null : this.refresh(now);
    }
    const due = this.#source.changes === "file"
      ? now - this.#lookedAt >= LOOK_MS
      : this.#validUntil - wallMs < EARLY_MS;
    // What there is serves meanwhile.
    if (due && now - this.#failedAt >= PAUSE_MS) void this.refresh(now);
    return null;
  }

  /** Looks for another one. @returns whether there is one; never rejects */
  refresh(now: number): Promise<boolean> {
    if (this.#source.changes === "never") return NOTHING_NEW;
    return this.#look ??= this.#refresh(now).finally(() => (this.#look = null));
  }

  async #refresh(now: number): Promise<boolean> {
    this.#lookedAt = now;
    try {
      return this.#accept(await this.#source.read());
    } catch (error) {
      if (!(error instanceof SecretFailure)) throw error;
      this.#failure = error.message;
      this.#failedAt = now;
      return false;
    }
  }

  #accept({ text, validUntil }: SecretText): boolean {
    const changed = text !== this.#text;
    this.#text = text;
    this.#validUntil = validUntil;
    this.#failure = "";
    if (changed) this.generation++;
    return changed;
  }
}

const NOTHING_NEW: Promise<boolean> = Promise.resolve(false);

/** When a JSON Web Token ends (RFC 7519 §4.1.4), wall-clock milliseconds; null when it is none, or does not say. */
export function tokenEnd(token: string): number | null {
  const [, claims = ""] = token.split(".");
  try {
    const { exp } = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))) as { exp?: unknown };
    return typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : null;
  } catch {
    return null;
  }
}
