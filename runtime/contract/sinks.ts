/** The part of the contract that is about logs. Reached through contract.ts. */

/** How long the last flush of a sink waits for the reader. Milliseconds. */
export interface FlushPatience {
  /** While nothing at all is taken. */
  readonly stalledMs: number;
  /** Altogether. */
  readonly mostMs: number;
}

/**
 * A file or descriptor that text is appended to without ever blocking the caller: writes are collected
 * and written in the background, in order.
 */
export interface TextSink {
  /**
   * Appends Latin-1 or Unicode text (written as UTF-8). Never throws and never blocks. When the
   * target does not keep up and `maxBufferedBytes` are waiting, the text is dropped and counted.
   */
  write(text: string): void;
  /** Pieces of text dropped so far. */
  readonly dropped: number;
  /** Why the last of them was, in words; "" while none was. */
  readonly dropCause: string;
  /** Longest line, its end included, that cannot be mixed with those of other processes. Bytes. */
  readonly wholeLineBytes: number;
  /** Opens the path anew (log rotation); nothing for descriptors. Bytes before go to the old file. */
  reopen(): Promise<void>;
  /**
   * Resolves with true when all that was written before has reached the kernel.
   *
   * @param patience default: for ever. When it is over all that is left is dropped, what comes later too, and the answer
   *   is false
   */
  flush(patience?: FlushPatience): Promise<boolean>;
  /** Writes what is left, synchronously where needed; for the last moment before `exit`. */
  flushNow(): void;
}
