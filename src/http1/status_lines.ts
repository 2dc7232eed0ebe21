/** The last line made for each status, and its reason: an origin uses the same phrase again and again. */

/** Above the highest status. */
const STATUSES = 600;

export class StatusLines {
  readonly #lines: string[] = new Array<string>(STATUSES).fill("");
  readonly #reasons: string[] = new Array<string>(STATUSES).fill("");

  /** The status line with its CRLF. `reason` must be safe as a field value or come out of a Head. */
  line(status: number, reason: string): string {
    if (this.#reasons[status] === reason && this.#lines[status] !== "") return this.#lines[status] as string;
    const line = "HTTP/1.1 " + status + " " + reason + "\r\n";
    if (status < STATUSES) {
      this.#reasons[status] = reason;
      this.#lines[status] = line;
    }
    return line;
  }
}
