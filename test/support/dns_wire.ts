/** Messages of name servers, built by hand, right and wrong. */

/** A record of an answer; `data` is an address, a name, or raw bytes. */
export interface WireRecord {
  readonly name: string;
  readonly type: "A" | "AAAA" | "CNAME" | "SOA" | number;
  readonly ttl?: number;
  readonly data: string | readonly number[];
}

export interface WireAnswer {
  readonly rcode?: number;
  readonly truncated?: boolean;
  readonly answers?: readonly WireRecord[];
  readonly authority?: readonly WireRecord[];
  /** Default: the question's. */
  readonly id?: number;
  readonly question?: { readonly name: string; readonly type: number } | null;
}

/** What a question asks. */
export interface WireQuestion {
  readonly id: number;
  readonly name: string;
  /** "A", "AAAA" or a number. */
  readonly type: string;
  readonly extended: boolean;
  readonly bytes: Uint8Array;
}

const TYPES: Readonly<Record<string, number>> = { A: 1, CNAME: 5, SOA: 6, AAAA: 28 };

export function readQuestion(bytes: Uint8Array): WireQuestion {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const labels: string[] = [];
  let at = 12;
  for (let size = bytes[at] ?? 0; size > 0; size = bytes[at] ?? 0) {
    labels.push(String.fromCharCode(...bytes.subarray(at + 1, at + 1 + size)));
    at += size + 1;
  }
  const number = view.getUint16(at + 1);
  const type = Object.keys(TYPES).find((key) => TYPES[key] === number) ?? String(number);
  return { id: view.getUint16(0), name: labels.join("."), type, extended: view.getUint16(10) === 1, bytes };
}

export function answerTo(question: WireQuestion, answer: WireAnswer): Uint8Array {
  const { answers = [], authority = [], rcode = 0 } = answer;
  const asked = answer.question === undefined
    ? { name: question.name, type: TYPES[question.type] ?? Number(question.type) }
    : answer.question;
  const bytes = [
    ...two(answer.id ?? question.id),
    0x81 | (answer.truncated === true ? 2 : 0),
    0x80 | rcode,
    ...two(asked === null ? 0 : 1),
    ...two(answers.length),
    ...two(authority.length),
    ...two(0),
  ];
  if (asked !== null) bytes.push(...wireName(asked.name), ...two(asked.type), ...two(1));
  for (const record of [...answers, ...authority]) bytes.push(...wireRecord(record));
  return Uint8Array.from(bytes);
}

/** With its length in front, as over TCP. */
export function framed(message: Uint8Array): Uint8Array {
  return Uint8Array.from([...two(message.length), ...message]);
}

export function wireName(name: string): number[] {
  const labels = name.split(".").filter((label) => label !== "");
  return [...labels.flatMap((label) => [label.length, ...[...label].map((c) => c.charCodeAt(0))]), 0];
}

function wireRecord({ name, type, ttl = 60, data }: WireRecord): number[] {
  const value = typeof data !== "string"
    ? data
    : type === "A"
    ? data.split(".").map(Number)
    : type === "AAAA"
    ? sixBytes(data)
    : wireName(data);
  const number = typeof type === "number" ? type : TYPES[type] ?? 0;
  return [...wireName(name), ...two(number), ...two(1), ...four(ttl), ...two(value.length), ...value];
}

/** Of an address with one "::". */
function sixBytes(text: string): number[] {
  const [head = "", tail = ""] = text.split("::");
  const groups = (part: string) =>
    part.split(":").filter((each) => each !== "").map((each) => parseInt(each, 16));
  const [before, after] = [groups(head), groups(tail)];
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after].flatMap(two);
}

function two(value: number): number[] {
  return [value >> 8, value & 0xff];
}

function four(value: number): number[] {
  return [value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff];
}
