/** The part of the contract that is about a terminal. Reached through contract.ts. */

export interface TerminalEvents {
  /** What was typed, as it came: a character, or the several bytes of a key like an arrow. ^C comes as "\x03". */
  key(text: string): void;
  /** Its size is another one. */
  resized(): void;
}

/** The terminal of this process, in raw mode: no line editing, no echo, no signals by keys. */
export interface Terminal {
  /** Both >= 1. */
  size(): { readonly columns: number; readonly rows: number };
  /** Never throws. */
  write(text: string): void;
  /** Puts the terminal back as it was, `leave` written first; also done at any exit that we hear of. Idempotent. */
  close(): void;
}
