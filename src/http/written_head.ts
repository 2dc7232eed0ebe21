/**
 * How a head with these fields was written last, as one text.
 *
 * A head is put together from texts that are kept elsewhere: the start line, what is passed on of the fields, what we
 * add. Writing one text takes half of the time of writing four. To join them takes longer than to write them, so
 * that is done only when the same four come twice in a row.
 */

/** Longest head that is kept as one text, and longest of the texts it consists of. */
const LONGEST = 4096;

export class WrittenHead {
  #first = "";
  #second = "";
  #third = "";
  #fourth = "";
  /** The four and an empty line; null while they have come once only. */
  #text: string | null = null;
  #method = "";
  #target = "";
  /** The request line of these two; "" = none yet. */
  #line = "";
  #authority = "";
  #others = "";
  /** Host, and the other fields; "" = none yet. */
  #fields = "";

  /** The four texts and an empty line in one; null when they are better written one by one. */
  joined(first: string, second: string, third: string, fourth: string): string | null {
    if (
      this.#second === second && this.#first === first && this.#third === third && this.#fourth === fourth
    ) {
      return this.#text ??= first + second + third + fourth + "\r\n";
    }
    this.#text = null;
    const short = first.length + second.length + third.length + fourth.length <= LONGEST;
    this.#first = short ? first : "";
    this.#second = short ? second : "";
    this.#third = short ? third : "";
    this.#fourth = short ? fourth : "";
    return null;
  }

  /** The request line of HTTP/1.1: the same string while both are the same. */
  requestLine(method: string, target: string): string {
    if (this.#line !== "" && this.#target === target && this.#method === method) return this.#line;
    const line = requestLineText(method, target);
    const short = line.length <= LONGEST;
    this.#method = short ? method : "";
    this.#target = short ? target : "";
    this.#line = short ? line : "";
    return line;
  }

  /** Host in front of other field lines: the same string while both are the same. */
  withHost(authority: string, others: string): string {
    if (this.#fields !== "" && this.#authority === authority && this.#others === others) return this.#fields;
    const fields = hostText(authority) + others;
    const short = fields.length <= LONGEST;
    this.#authority = short ? authority : "";
    this.#others = short ? others : "";
    this.#fields = short ? fields : "";
    return fields;
  }
}

export function requestLineText(method: string, target: string): string {
  return method + " " + target + " HTTP/1.1\r\n";
}

export function hostText(authority: string): string {
  return "Host: " + authority + "\r\n";
}
