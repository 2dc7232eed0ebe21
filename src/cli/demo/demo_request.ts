/**
 * Finds the end of one HTTP/1 request, for the demo's backend. It trusts its peer, which is Sluice or curl
 * on the same machine; nothing that faces the network may use it.
 */

const MAX_HEAD_CHARS = 65_536;
const DECODER = new TextDecoder("latin1");

type State = "head" | "length" | "chunk_size" | "chunk_data" | "trailer" | "done" | "failed";

export class DemoRequest {
  /** "done" and "failed" are final. */
  state: State = "head";
  method = "";
  target = "";
  bodyBytes = 0;
  /** The client waits for an interim response before it sends the body. */
  expectsContinue = false;
  #line = "";
  #remaining = 0;

  feed(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length && this.state !== "done" && this.state !== "failed") {
      if (this.state === "length" || this.state === "chunk_data") {
        const count = Math.min(this.#remaining, bytes.length - offset);
        this.#remaining -= count;
        this.bodyBytes += count;
        offset += count;
        if (this.#remaining === 0) this.#bodyPartDone();
      } else {
        offset = this.#feedText(bytes, offset);
      }
    }
  }

  /** Takes bytes up to the end of a line (in the head: of the whole head). */
  #feedText(bytes: Uint8Array, from: number): number {
    const newline = bytes.indexOf(10, from);
    const end = newline < 0 ? bytes.length : newline + 1;
    this.#line += DECODER.decode(bytes.subarray(from, end));
    if (this.#line.length > MAX_HEAD_CHARS) this.state = "failed";
    else if (newline >= 0) this.#lineDone();
    return end;
  }

  #lineDone(): void {
    switch (this.state) {
      case "head":
        if (this.#line.endsWith("\r\n\r\n") || this.#line === "\r\n") this.#headDone();
        return;
      case "chunk_size": {
        const match = /^([0-9a-f]{1,12})[;\r]/i.exec(this.#line);
        this.#line = "";
        if (match === null) {
          this.state = "failed";
        } else {
          // Two more for the CRLF behind the data; they do not count as body.
          const size = parseInt(match[1] ?? "", 16);
          this.#remaining = size + 2;
          this.bodyBytes -= size === 0 ? 0 : 2;
          this.state = size === 0 ? "trailer" : "chunk_data";
        }
        return;
      }
      case "trailer":
        if (this.#line === "\r\n") this.state = "done";
        this.#line = "";
        return;
      default:
        this.state = "failed";
    }
  }

  #headDone(): void {
    const [requestLine = "", ...fields] = this.#line.split("\r\n");
    this.#line = "";
    const [method = "", target = "", version = ""] = requestLine.split(" ");
    this.method = method;
    this.target = target;
    if (!version.startsWith("HTTP/1.")) {
      this.state = "failed";
      return;
    }
    this.state = "done";
    for (const field of fields) {
      const colon = field.indexOf(":");
      const name = field.slice(0, colon).toLowerCase();
      const value = field.slice(colon + 1).trim().toLowerCase();
      if (name === "content-length" && /^\d{1,15}$/.test(value) && Number(value) > 0) {
        this.#remaining = Number(value);
        this.state = "length";
      } else if (name === "transfer-encoding" && value === "chunked") {
        this.state = "chunk_size";
      } else if (name === "expect" && value === "100-continue") {
        this.expectsContinue = true;
      }
    }
  }

  #bodyPartDone(): void {
    this.state = this.state === "length" ? "done" : "chunk_size";
  }
}
