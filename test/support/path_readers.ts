/**
 * How servers, libraries and gateways read the path of a request: each a plain account of one of them, written
 * without a look at the code of the router. They take a target in origin form, without control characters and
 * broken escapes, and answer the path as their applications see it, its segments decoded.
 */

import { posix } from "node:path";

export type PathReader = (target: string) => string;

function withoutQuery(target: string): string {
  return target.replace(/\?.*$/s, "");
}

/** Decodes escapes into octets, one character each. */
function decode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

function escape(char: string): string {
  return "%" + char.charCodeAt(0).toString(16).toUpperCase();
}

/** Decodes all escapes but those of slashes. */
function decodeNoSlash(text: string): string {
  return text.replace(/%(?!2f)([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/** RFC 3986 §5.2.4 to the letter. */
function removeDotSegments(path: string): string {
  let input = path;
  let output = "";
  while (input !== "") {
    if (input.startsWith("../")) input = input.slice(3);
    else if (input.startsWith("./")) input = input.slice(2);
    else if (input.startsWith("/./")) input = input.slice(2);
    else if (input === "/.") input = "/";
    else if (input.startsWith("/../") || input === "/..") {
      input = "/" + input.slice(4);
      output = output.slice(0, Math.max(0, output.lastIndexOf("/")));
    } else if (input === "." || input === "..") input = "";
    else {
      const next = input.indexOf("/", 1);
      const end = next < 0 ? input.length : next;
      output += input.slice(0, end);
      input = input.slice(end);
    }
  }
  return output;
}

function mergeSlashes(path: string): string {
  return path.replace(/\/{2,}/g, "/");
}

/** Octets of UTF-8 without the check that a sequence is as short as it could be; masks continuation bytes. */
function decodeLaxUtf8(bytes: string): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) {
    const lead = bytes.charCodeAt(i);
    const more = lead >= 0xfc
      ? 5
      : lead >= 0xf8
      ? 4
      : lead >= 0xf0
      ? 3
      : lead >= 0xe0
      ? 2
      : lead >= 0xc0
      ? 1
      : 0;
    if (more === 0 || i + more >= bytes.length) {
      text += bytes[i];
      continue;
    }
    let code = lead & (0x3f >> more);
    for (let j = 1; j <= more; j++) code = (code << 6) | (bytes.charCodeAt(i + j) & 0x3f);
    // Characters beyond ASCII are left as their octets: all readers then spell them alike.
    if (code < 0x80) {
      text += String.fromCharCode(code);
      i += more;
    } else {
      text += bytes[i];
    }
  }
  return text;
}

/** Java's servlet containers: parameters go first, then escapes, then backslashes, then doubled slashes and dots. */
function servlet(target: string, slashes: "decoded" | "kept"): string {
  const bare = withoutQuery(target).replace(/;[^/]*/g, "");
  const decoded = slashes === "decoded" ? decode(bare) : decodeNoSlash(bare);
  return removeDotSegments(mergeSlashes(decoded.replaceAll("\\", "/")));
}

/** `URL` throws for hosts that cannot be: then there is no reading. */
function url(text: string, base?: string): string {
  try {
    return new URL(text, base).pathname;
  } catch {
    return withoutQuery(text.replace(/^http:\/\/h/, ""));
  }
}

export const PATH_READERS: Readonly<Record<string, PathReader>> = {
  "compares what it receives": (target) => {
    return withoutQuery(target).replace(/%[0-9a-f]{2}/gi, (escape) => {
      const char = String.fromCharCode(parseInt(escape.slice(1), 16));
      return /[\w.~-]/.test(char) ? char : escape.toUpperCase();
    });
  },
  "RFC 3986, decoded afterwards": (target) => decode(removeDotSegments(withoutQuery(target))),
  "RFC 3986, escaped dots too": (target) => {
    return decode(removeDotSegments(withoutQuery(target).replace(/%2e/gi, ".")));
  },
  "new URL of the whole": (target) => decode(url("http://h" + target)),
  "new URL against a base": (target) => decode(url(target, "http://h")),
  "new URL against a base, twice": (target) => decode(url(url(target, "http://h"), "http://h")),
  "new URL of the whole, then against a base": (target) => decode(url(url("http://h" + target), "http://h")),
  "decodes, then new URL against a base": (target) => {
    return decode(url(decode(withoutQuery(target)).replace(/[^\0-\x7f]/g, escape), "http://h"));
  },
  "a servlet container, then new URL against a base": (target) => url(servlet(target, "kept"), "http://h"),
  "dots, then a host in the path": (target) => {
    return decode(removeDotSegments(withoutQuery(target)).replace(/^\/\/+[^/]*/, "").replace(/^$/, "/"));
  },
  "new URL, slashes kept": (target) => decodeNoSlash(url("http://h" + target)),
  "Node, path.normalize of what was decoded": (target) => posix.normalize(decode(withoutQuery(target))),
  "Node, path.normalize before decoding": (target) => decode(posix.normalize(withoutQuery(target))),
  "Node, static files: decoded, then URL": (target) => {
    return removeDotSegments(decode(url("http://h" + target)));
  },
  "nginx": (target) => removeDotSegments(mergeSlashes(decode(withoutQuery(target)))),
  "nginx, merge_slashes off": (target) => removeDotSegments(decode(withoutQuery(target))),
  "Apache": (target) => mergeSlashes(removeDotSegments(decodeNoSlash(withoutQuery(target)))),
  "Apache, AllowEncodedSlashes On": (target) => {
    return removeDotSegments(mergeSlashes(decode(withoutQuery(target))));
  },
  "Apache, MergeSlashes Off": (target) => removeDotSegments(decodeNoSlash(withoutQuery(target))),
  "Go, path.Clean of what was decoded": (target) => {
    return posix.normalize("/" + decode(withoutQuery(target))).replace(/(?<=.)\/$/, "");
  },
  "Tomcat": (target) => servlet(target, "kept"),
  "Tomcat, encodedSolidusHandling decode": (target) => servlet(target, "decoded"),
  "Jetty, ambiguous segments allowed": (target) => {
    const path = removeDotSegments(withoutQuery(target).replace(/%2e/gi, ".").replace(/;[^/]*/g, ""));
    return decode(path);
  },
  "parameters after decoding": (target) => {
    return removeDotSegments(decode(withoutQuery(target)).replace(/;[^/]*/g, ""));
  },
  "parameters after decoding, slashes merged": (target) => {
    return removeDotSegments(mergeSlashes(decode(withoutQuery(target)).replace(/;[^/]*/g, "")));
  },
  "parameters after dots": (target) => decode(removeDotSegments(withoutQuery(target)).replace(/;[^/]*/g, "")),
  "everything from the first semicolon on is cut off": (target) => {
    return removeDotSegments(mergeSlashes(decode(withoutQuery(target)).replace(/;.*$/s, "")));
  },
  "parameters of the last segment only": (target) => {
    return removeDotSegments(decode(withoutQuery(target).replace(/;[^/]*$/, "")));
  },
  "IIS": (target) => {
    return removeDotSegments(mergeSlashes(decode(withoutQuery(target)).replaceAll("\\", "/")));
  },
  "IIS of old: overlong UTF-8": (target) => {
    return removeDotSegments(mergeSlashes(decodeLaxUtf8(decode(withoutQuery(target))).replaceAll("\\", "/")));
  },
  "overlong UTF-8 after the dots": (target) => {
    return decodeLaxUtf8(decode(removeDotSegments(withoutQuery(target))));
  },
  "IIS of old: decodes twice": (target) => {
    return removeDotSegments(mergeSlashes(decode(decode(withoutQuery(target))).replaceAll("\\", "/")));
  },
  "decodes twice, overlong UTF-8 in between": (target) => {
    return removeDotSegments(decode(decodeLaxUtf8(decode(withoutQuery(target)))));
  },
  "decodes twice, then overlong UTF-8": (target) => {
    return removeDotSegments(decodeLaxUtf8(decode(decode(withoutQuery(target)))));
  },
  "a gateway that resolves dots, then one that decodes twice": (target) => {
    return removeDotSegments(decode(decode(removeDotSegments(decode(withoutQuery(target))))));
  },
  "CGI, PATH_INFO of the file system": (target) => {
    return posix.normalize(decode(withoutQuery(target)));
  },
  "PHP, the file system after REQUEST_URI": (target) => {
    return posix.normalize(decode(url("http://h" + target)));
  },
  "decodes, then cuts the query off": (target) => {
    return removeDotSegments(mergeSlashes(withoutQuery(decode(withoutQuery(target))).replace(/#.*$/s, "")));
  },
  "a rewrite that decodes, then new URL": (target) => {
    const decoded = decode(withoutQuery(target)).replace(/[^\0-\x7f]/g, escape);
    return decode(url("http://h" + decoded));
  },
  "two proxies: slashes merged, then RFC 3986": (target) => {
    return decode(removeDotSegments(mergeSlashes(withoutQuery(target))));
  },
  "two proxies: dots, then a servlet container": (target) => {
    return servlet(removeDotSegments(withoutQuery(target)), "decoded");
  },
  "two proxies: a servlet container, then RFC 3986": (target) => {
    return removeDotSegments(servlet(target, "kept"));
  },
  "a host in the path, then nginx": (target) => {
    const path = withoutQuery(target).replace(/^\/\/+[^/]*/, "");
    return removeDotSegments(mergeSlashes(decode(path === "" ? "/" : path)));
  },
};
