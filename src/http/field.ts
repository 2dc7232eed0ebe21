/** Field names we know, recognised while a head is scanned. */

import { TOKEN_UNDERSCORE } from "../bytes/character.ts";
import { encodeLatin1 } from "../bytes/latin1.ts";

/** Ids below this one can be in a mask, which is an int32. */
export const MASKED_IDS = 32;

/**
 * Ids of known fields, 0 to 63; a key is the name in camel case. 0 is any other name. Those below `MASKED_IDS` fit masks
 * (`maskOf`): fields of the hop, and whatever else may be left out when a message is passed on. The others are only
 * looked up.
 *
 * `xForwardedOther` is any other name beginning with "x-forwarded-", and "x-real-ip".
 * `neverForwarded` is "http2-settings", which offers the client's own hop a protocol that we do not speak, and "proxy",
 * which CGI hands to programs as HTTP_PROXY: they would take it for their own setting (CVE-2016-5385, httpoxy).
 * `underscored` is an unknown name with an underscore: recipients that map "_" and "-" to one
 * character (CGI, WSGI) would take `Content_Length` for another field.
 */
export const Field = {
  other: 0,
  host: 1,
  connection: 2,
  contentLength: 3,
  transferEncoding: 4,
  keepAlive: 5,
  proxyConnection: 6,
  te: 7,
  trailer: 8,
  upgrade: 9,
  expect: 10,
  via: 11,
  forwarded: 12,
  xForwardedFor: 13,
  xForwardedProto: 14,
  xForwardedHost: 15,
  xForwardedOther: 16,
  maxForwards: 17,
  proxyAuthorization: 18,
  proxyAuthenticate: 19,
  neverForwarded: 20,
  date: 21,
  server: 22,
  proxyStatus: 23,
  underscored: 24,
  authorization: 25,
  wwwAuthenticate: 26,
  earlyData: 27,
  altSvc: 28,
  strictTransportSecurity: 29,
  proxyAuthenticationInfo: 30,
  // From here on in no mask.
  idempotencyKey: 32,
  secWebsocketKey: 33,
  secWebsocketAccept: 34,
  retryAfter: 35,
  userAgent: 36,
  referer: 37,
  contentType: 38,
  contentEncoding: 39,
  cookie: 40,
  setCookie: 41,
  location: 42,
  cacheControl: 43,
  range: 44,
  accept: 45,
  acceptEncoding: 46,
  origin: 47,
  authenticationInfo: 48,
  priority: 50,
  vary: 51,
  etag: 52,
} as const;

/** 0 to N - 1. */
type Below<N extends number, Counted extends readonly unknown[] = []> = Counted["length"] extends N ? never
  : Counted["length"] | Below<N, readonly [...Counted, 0]>;

/** An id that can be in a mask: 1 to 31; 0 says nothing there. */
export type MaskedField = Below<typeof MASKED_IDS>;

/** The mask of these ids. `1 << id` of any other id is the bit of one that it is not. */
export function maskOf(...ids: readonly MaskedField[]): number {
  return ids.reduce((mask: number, id) => mask | (1 << id), 0);
}

/** Whether a mask has this id; none has 0 ("other"), or one from `MASKED_IDS` on. */
export function isMasked(id: number, mask: number): boolean {
  return id < MASKED_IDS && ((1 << id) & mask & ~1) !== 0;
}

/** Ids that stand for many names. */
const FAMILIES: readonly number[] = [
  Field.other,
  Field.xForwardedOther,
  Field.neverForwarded,
  Field.underscored,
];

/** Lower-case name of each id; "" for the ids that stand for many names, and for those that are not in use. */
export const FIELD_NAMES: readonly string[] = fieldNames();

function fieldNames(): string[] {
  const names = new Array<string>(Math.max(...Object.values(Field)) + 1).fill("");
  for (const [key, id] of Object.entries(Field)) {
    if (!FAMILIES.includes(id)) names[id] = key.replace(/[A-Z]/g, (letter) => "-" + letter.toLowerCase());
  }
  return names;
}

const FORWARDED_PREFIX = "x-forwarded-";
const REAL_IP = "x-real-ip";
const NEVER_FORWARDED = ["http2-settings", "proxy"];

/** Slots of the perfect hash; a unit test proves that no two names share one. */
const SLOT_COUNT = 512;

/**
 * Hash of a name by its length and its first and last character, both with bit 0x20 set. The factors
 * were searched for: no two known names collide, and few other common names hit a known one's slot.
 */
export function slotOf(length: number, first: number, last: number): number {
  return (length * 47 + first * 95 + last) & (SLOT_COUNT - 1);
}

const NO_BYTES = new Uint8Array(0);
const SLOT_IDS = new Uint8Array(SLOT_COUNT);
const SLOT_NAMES: Uint8Array[] = new Array(SLOT_COUNT).fill(NO_BYTES);

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  encodeLatin1(text, bytes, 0);
  return bytes;
}

function enter(name: string, id: number): void {
  const slot = slotOf(name.length, name.charCodeAt(0), name.charCodeAt(name.length - 1));
  SLOT_IDS[slot] = id;
  SLOT_NAMES[slot] = bytesOf(name);
}

FIELD_NAMES.forEach((name, id) => {
  if (name !== "") enter(name, id);
});
enter(REAL_IP, Field.xForwardedOther);
for (const name of NEVER_FORWARDED) enter(name, Field.neverForwarded);

const PREFIX_BYTES = bytesOf(FORWARDED_PREFIX);
const LETTER_X = 0x78;

/**
 * Finds the id of the name `bytes[from, to)`, which is a token of at least one character.
 *
 * @param classes OR of the `TOKEN` classes of its characters
 * Setting bit 0x20 folds the case of letters, leaves "-" and digits alone, and maps no other tchar
 * to a letter, a digit or "-". No allocation; for most unknown names one table look-up.
 */
export function fieldIdOf(bytes: Uint8Array, from: number, to: number, classes: number): number {
  const length = to - from;
  const first = (bytes[from] as number) | 0x20;
  const slot = slotOf(length, first, (bytes[to - 1] as number) | 0x20);
  const id = SLOT_IDS[slot] as number;
  if (id !== 0) {
    const name = SLOT_NAMES[slot] as Uint8Array;
    if (name.length === length && startsWith(bytes, from, name)) return id;
  }
  if (first === LETTER_X && length >= PREFIX_BYTES.length && startsWith(bytes, from, PREFIX_BYTES)) {
    return Field.xForwardedOther;
  }
  return (classes & TOKEN_UNDERSCORE) !== 0 ? Field.underscored : Field.other;
}

/** The id of a name that is written in lower case. */
export function idOfName(lowerCaseName: string): number {
  const id = FIELD_NAMES.indexOf(lowerCaseName);
  if (id > 0) return id;
  if (NEVER_FORWARDED.includes(lowerCaseName)) return Field.neverForwarded;
  if (lowerCaseName === REAL_IP || lowerCaseName.startsWith(FORWARDED_PREFIX)) return Field.xForwardedOther;
  return lowerCaseName.includes("_") ? Field.underscored : Field.other;
}

function startsWith(bytes: Uint8Array, from: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) {
    if (((bytes[from + i] as number) | 0x20) !== name[i]) return false;
  }
  return true;
}
