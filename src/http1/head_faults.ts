/** Which reason to give for a line that was refused. Never on the path of a valid message. */

import { COLON, CR, HTAB, LF, SP } from "../bytes/character.ts";
import type { Fault } from "../http/fault.ts";
import { FAULTS } from "../http/fault.ts";

const DIGIT_0 = 0x30;
const DIGIT_1 = 0x31;

/** The line breaks off at `at`: a wrong line end, or else `otherwise`. */
export function lineFault(bytes: Uint8Array, at: number, end: number, otherwise: Fault): Fault {
  if (bytes[at] === LF) return at > 0 && bytes[at - 1] === CR ? otherwise : FAULTS.bareLf;
  if (bytes[at] === CR && at + 1 < end && bytes[at + 1] !== LF) return FAULTS.bareCr;
  return otherwise;
}

/** No usable version of a request line begins at `at`. */
export function versionFault(bytes: Uint8Array, at: number, end: number): Fault {
  let p = at;
  while (p < end && bytes[p] !== CR && bytes[p] !== LF) p++;
  if (p === at + 8 && isOtherVersion(bytes, at)) return FAULTS.unsupportedVersion;
  if (p < end) return lineFault(bytes, p, end, FAULTS.version);
  return FAULTS.version;
}

/** No usable version of a status line begins at `at`. */
export function statusVersionFault(bytes: Uint8Array, at: number): Fault {
  return isOtherVersion(bytes, at) ? FAULTS.unsupportedVersion : FAULTS.statusLine;
}

/** The name that begins at `lineStart` breaks off at `at`, and not at a colon. */
export function nameFault(bytes: Uint8Array, lineStart: number, at: number, end: number): Fault {
  const byte = bytes[at];
  if (at === lineStart) {
    if (byte === SP || byte === HTAB) return FAULTS.leadingWhitespace;
    if (byte === COLON) return FAULTS.emptyName;
    return lineFault(bytes, at, end, FAULTS.nameCharacter);
  }
  if (byte === CR || byte === LF) return lineFault(bytes, at, end, FAULTS.noColon);
  if (byte === SP || byte === HTAB) {
    let p = at;
    while (p < end && (bytes[p] === SP || bytes[p] === HTAB)) p++;
    return p < end && bytes[p] === COLON ? FAULTS.spaceBeforeColon : FAULTS.nameCharacter;
  }
  return FAULTS.nameCharacter;
}

/** A value breaks off at `at`, and not at CRLF. */
export function valueFault(bytes: Uint8Array, at: number): Fault {
  if (bytes[at] === LF) return FAULTS.bareLf;
  return bytes[at] === CR ? FAULTS.bareCr : FAULTS.valueCharacter;
}

/** Whether `bytes[at]` begins `HTTP/1.`. */
export function isVersionOne(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x48 && bytes[at + 1] === 0x54 && bytes[at + 2] === 0x54 && bytes[at + 3] === 0x50 &&
    bytes[at + 4] === 0x2f && bytes[at + 5] === DIGIT_1 && bytes[at + 6] === 0x2e;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= DIGIT_0 && byte <= 0x39;
}

/** Whether `bytes[at]` begins `HTTP/` DIGIT `.` DIGIT with a version that is neither 1.0 nor 1.1. */
function isOtherVersion(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x48 && bytes[at + 1] === 0x54 && bytes[at + 2] === 0x54 && bytes[at + 3] === 0x50 &&
    bytes[at + 4] === 0x2f && isDigit(bytes[at + 5]) && bytes[at + 6] === 0x2e && isDigit(bytes[at + 7]) &&
    !(isVersionOne(bytes, at) && (bytes[at + 7] === DIGIT_0 || bytes[at + 7] === DIGIT_1));
}
