/**
 * How a head with these fields was written last, as one text.
 *
 * A head is put together from texts that are kept elsewhere: the start line, what is passed on of the fields, what we
 * add. Writing one text takes half of the time of writing four. To join them takes longer than to write them, so
 * that is done only when the same four come twice in a row.
 */

/** Longest head that is kept as one text. */
const LONGEST = 4096;

export class WrittenHead {
  #first = "";
  #second = "";
  #third = "";
  #fourth = "";
  /** The four and an empty line; null while they have come once only. */
  #text: string | null = null;

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
}
