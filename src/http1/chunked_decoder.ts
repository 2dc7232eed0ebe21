/** Strict decoder of the chunked transfer coding (RFC 9112 §7.1). */

import {
  BACKSLASH,
  CR,
  DQUOTE,
  EQUALS,
  FIELD_VALUE,
  HEX_VALUE,
  HTAB,
  LF,
  SEMICOLON,
  SP,
  TOKEN,
} from "../bytes/character.ts";
import type { Fault } from "../http/fault.ts";
import { FAULTS } from "../http/fault.ts";
import type { Http1Limits } from "../http/limits.ts";

/**
 * - `more`: all bytes are absorbed
 * - `data`: content lies at `bytes[dataFrom, dataTo)`
 * - `trailers`: a trailer section with at least one line begins at `at`; the decoder is done
 * - `end`: the body ended, without a trailer section; the decoder is done
 * - `fault`: see `fault`; the decoder answers the same for ever
 */
export type ChunkedEvent = "more" | "data" | "trailers" | "end" | "fault";

/**
 * 13 hexadecimal digits are 2^52 - 1, so a size is exact in a number; leading zeros are allowed up to
 * 16 digits in all, because an endless run of zeros would be a line without an end.
 */
const MAX_SIGNIFICANT_DIGITS = 13;
const MAX_DIGITS = 16;

// States. The ones from FIRST_EXTENSION_STATE to LAST_EXTENSION_STATE count extension bytes.
const SIZE = 0;
/** Whitespace was seen after the size: only a ";" may follow. */
const AFTER_SIZE = 1;
/** Whitespace was seen after an extension: only a ";" may follow. */
const AFTER_EXTENSION = 2;
const NAME_START = 3;
const NAME = 4;
const AFTER_NAME = 5;
const VALUE_START = 6;
const VALUE = 7;
const QUOTED = 8;
const ESCAPED = 9;
const AFTER_QUOTED = 10;
const SIZE_LF = 11;
const DATA = 12;
const DATA_CR = 13;
const DATA_LF = 14;
const LAST = 15;
const FINAL_LF = 16;
const FAILED = 17;
const FIRST_EXTENSION_STATE = AFTER_SIZE;
const LAST_EXTENSION_STATE = AFTER_QUOTED;

/**
 * Decodes one body. Judges byte by byte, so the outcome does not depend on how the bytes arrive; holds
 * no bytes. Extensions are checked and dropped: §7.1.1 lets a recipient ignore what it does not know,
 * and forwarding them carries attacks on the next hop (they are hop-by-hop anyway).
 */
export class ChunkedDecoder {
  /** Where reading stopped. */
  at = 0;
  dataFrom = 0;
  dataTo = 0;
  fault: Fault | null = null;
  readonly #limits: Http1Limits;
  #state = SIZE;
  #size = 0;
  #digits = 0;
  #significantDigits = 0;
  /** Bytes of the current chunk not yet handed out. */
  #remainingBytes = 0;
  #lineExtensionBytes = 0;
  #extensionBytes = 0;

  constructor(limits: Http1Limits) {
    this.#limits = limits;
  }

  /** Reads `bytes[from, to)` up to the next event; goes on at `at` in the following call. */
  decode(bytes: Uint8Array, from: number, to: number): ChunkedEvent {
    let state = this.#state;
    let p = from;
    while (p < to) {
      if (state === DATA) {
        const available = to - p;
        const taken = available < this.#remainingBytes ? available : this.#remainingBytes;
        this.dataFrom = p;
        this.dataTo = this.at = p + taken;
        this.#remainingBytes -= taken;
        this.#state = this.#remainingBytes === 0 ? DATA_CR : DATA;
        return "data";
      }
      const byte = bytes[p] as number;
      if (state >= FIRST_EXTENSION_STATE && state <= LAST_EXTENSION_STATE && byte !== CR) {
        const fault = this.#countExtensionByte();
        if (fault !== null) return this.#fail(fault, p);
      }
      switch (state) {
        case SIZE: {
          const value = HEX_VALUE[byte] as number;
          if (value !== 255) {
            if (++this.#digits > MAX_DIGITS) return this.#fail(FAULTS.chunkTooLarge, p);
            if (this.#significantDigits > 0 || value > 0) {
              if (++this.#significantDigits > MAX_SIGNIFICANT_DIGITS) {
                return this.#fail(FAULTS.chunkTooLarge, p);
              }
            }
            this.#size = this.#size * 16 + value;
          } else if (this.#digits === 0) {
            return this.#fail(FAULTS.chunkSize, p);
          } else if (byte === CR) {
            state = SIZE_LF;
          } else if (byte === SEMICOLON) {
            const fault = this.#countExtensionByte();
            if (fault !== null) return this.#fail(fault, p);
            state = NAME_START;
          } else if (byte === SP || byte === HTAB) {
            const fault = this.#countExtensionByte();
            if (fault !== null) return this.#fail(fault, p);
            state = AFTER_SIZE;
          } else {
            return this.#fail(byte === LF ? FAULTS.chunkLineEnd : FAULTS.chunkSize, p);
          }
          break;
        }
        case AFTER_SIZE:
        case AFTER_EXTENSION:
          if (byte === SEMICOLON) state = NAME_START;
          else if (byte !== SP && byte !== HTAB) {
            return this.#fail(state === AFTER_SIZE ? FAULTS.chunkSize : FAULTS.chunkExtension, p);
          }
          break;
        case NAME_START:
          if (TOKEN[byte] !== 0) state = NAME;
          else if (byte !== SP && byte !== HTAB) return this.#fail(FAULTS.chunkExtension, p);
          break;
        case NAME:
          if (TOKEN[byte] !== 0) break;
          if (byte === CR) state = SIZE_LF;
          else if (byte === EQUALS) state = VALUE_START;
          else if (byte === SEMICOLON) state = NAME_START;
          else if (byte === SP || byte === HTAB) state = AFTER_NAME;
          else return this.#fail(byte === LF ? FAULTS.chunkLineEnd : FAULTS.chunkExtension, p);
          break;
        case AFTER_NAME:
          if (byte === EQUALS) state = VALUE_START;
          else if (byte === SEMICOLON) state = NAME_START;
          else if (byte !== SP && byte !== HTAB) return this.#fail(FAULTS.chunkExtension, p);
          break;
        case VALUE_START:
          if (byte === DQUOTE) state = QUOTED;
          else if (TOKEN[byte] !== 0) state = VALUE;
          else if (byte !== SP && byte !== HTAB) return this.#fail(FAULTS.chunkExtension, p);
          break;
        case QUOTED:
          if (byte === DQUOTE) state = AFTER_QUOTED;
          else if (byte === BACKSLASH) state = ESCAPED;
          else if (FIELD_VALUE[byte] === 0) return this.#fail(FAULTS.chunkExtension, p);
          break;
        case ESCAPED:
          if (FIELD_VALUE[byte] === 0) return this.#fail(FAULTS.chunkExtension, p);
          state = QUOTED;
          break;
        case VALUE:
        case AFTER_QUOTED:
          if (state === VALUE && TOKEN[byte] !== 0) break;
          if (byte === CR) state = SIZE_LF;
          else if (byte === SEMICOLON) state = NAME_START;
          else if (byte === SP || byte === HTAB) state = AFTER_EXTENSION;
          else return this.#fail(byte === LF ? FAULTS.chunkLineEnd : FAULTS.chunkExtension, p);
          break;
        case SIZE_LF:
          // RFC 9112 §2.2 lets a bare LF end a line of the head only, not a chunk line (erratum 7633).
          if (byte !== LF) return this.#fail(FAULTS.chunkLineEnd, p);
          this.#remainingBytes = this.#size;
          state = this.#size === 0 ? LAST : DATA;
          this.#size = 0;
          this.#digits = 0;
          this.#significantDigits = 0;
          this.#lineExtensionBytes = 0;
          break;
        case DATA_CR:
          if (byte !== CR) return this.#fail(FAULTS.chunkDataEnd, p);
          state = DATA_LF;
          break;
        case DATA_LF:
          if (byte !== LF) return this.#fail(FAULTS.chunkDataEnd, p);
          state = SIZE;
          break;
        case LAST:
          if (byte !== CR) {
            this.at = p;
            this.#state = state;
            return "trailers";
          }
          state = FINAL_LF;
          break;
        case FINAL_LF:
          if (byte !== LF) return this.#fail(FAULTS.chunkLineEnd, p);
          this.at = p + 1;
          this.#state = state;
          return "end";
        default:
          return "fault";
      }
      p++;
    }
    this.at = p;
    this.#state = state;
    return state === FAILED ? "fault" : "more";
  }

  #countExtensionByte(): Fault | null {
    this.#lineExtensionBytes++;
    this.#extensionBytes++;
    return this.#lineExtensionBytes > this.#limits.maxChunkLineBytes ||
        this.#extensionBytes > this.#limits.maxChunkExtensionBytes
      ? FAULTS.chunkExtensionTooLarge
      : null;
  }

  #fail(fault: Fault, at: number): "fault" {
    this.at = at;
    this.fault = fault;
    this.#state = FAILED;
    return "fault";
  }
}
