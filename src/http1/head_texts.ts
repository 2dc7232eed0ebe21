/**
 * Heads that are written again and again, each as one text.
 *
 * A head is put together from texts that are kept elsewhere: the start line, what is passed on of the fields, what we
 * add. Writing one text takes a third of the time of writing four. To join them takes longer than to write them, so
 * that is done only for what is met twice in a row at its place.
 */

/** Places; a power of two. Chosen by the length of the fields, which differs from one resource to another. */
const PLACES = 32;
/** Longest head that is kept; all together hold 128 KiB at most. */
const LONGEST = 4096;

interface Whole {
  readonly first: string;
  readonly second: string;
  readonly third: string;
  readonly fourth: string;
  readonly text: string;
}

export class HeadTexts {
  readonly #wholes: (Whole | null)[] = new Array<Whole | null>(PLACES).fill(null);
  /** What was missed last at each place: the first two of its texts. */
  readonly #missedFirst: string[] = new Array<string>(PLACES).fill("");
  readonly #missedSecond: string[] = new Array<string>(PLACES).fill("");

  /** The four texts and an empty line in one; null when they are better written one by one. */
  joined(first: string, second: string, third: string, fourth: string): string | null {
    const place = (second.length + third.length) & (PLACES - 1);
    const whole = this.#wholes[place] as Whole | null;
    if (
      whole !== null && whole.second === second && whole.first === first && whole.third === third &&
      whole.fourth === fourth
    ) return whole.text;
    return this.#miss(place, first, second, third, fourth);
  }

  #miss(place: number, first: string, second: string, third: string, fourth: string): string | null {
    if (first.length + second.length + third.length + fourth.length > LONGEST) return null;
    if (this.#missedSecond[place] !== second || this.#missedFirst[place] !== first) {
      this.#missedFirst[place] = first;
      this.#missedSecond[place] = second;
      return null;
    }
    const text = first + second + third + fourth + "\r\n";
    this.#wholes[place] = { first, second, third, fourth, text };
    return text;
  }
}
