/** The part of the contract that is about failures of files and processes. Reached through contract.ts. */

/** A failed file or process operation. `code` is the POSIX name ("ENOENT", "EACCES", …) or "". */
export class SystemError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.name = "SystemError";
    this.code = code;
  }
}
