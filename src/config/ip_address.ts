/**
 * IP literals and CIDR blocks as text. Only the canonical spellings are IPv4 addresses here: the forms that
 * `inet_aton` accepts (`127.1`, `0x7f.0.0.1`, `010.0.0.1`) mean different hosts to different programs.
 */

/** Four bytes, or null when `text` is not `a.b.c.d` in decimal without leading zeros. */
export function parseIpv4(text: string): readonly number[] | null {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return null;
  const bytes: number[] = [];
  for (const part of match.slice(1)) {
    if (part.length > 1 && part.startsWith("0")) return null;
    const value = Number(part);
    if (value > 255) return null;
    bytes.push(value);
  }
  return bytes;
}

/** Eight 16-bit groups, or null. Zone identifiers (`%eth0`) are refused. Source: RFC 4291 §2.2. */
export function parseIpv6(text: string): readonly number[] | null {
  if (text.length > 45) return null;
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  if (head === null) return null;
  if (halves.length === 1) return head.length === 8 ? head : null;
  const tail = parseGroups(halves[1] ?? "", true);
  if (tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (missing < 1) return null;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function parseGroups(text: string, mayEndInIpv4: boolean): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (mayEndInIpv4 && index === parts.length - 1 && part.includes(".")) {
      const ipv4 = parseIpv4(part);
      if (ipv4 === null) return null;
      const [a = 0, b = 0, c = 0, d = 0] = ipv4;
      groups.push(a * 256 + b, c * 256 + d);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return null;
      groups.push(parseInt(part, 16));
    }
  }
  return groups;
}

/** The canonical text of eight groups: lower case, longest run of zeros shortened. Source: RFC 5952 §4. */
export function formatIpv6(groups: readonly number[]): string {
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - start > bestLength) {
      bestStart = start;
      bestLength = end - start;
    }
    start = end;
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestStart < 0) return hex.join(":");
  return hex.slice(0, bestStart).join(":") + "::" + hex.slice(bestStart + bestLength).join(":");
}

/** Canonical text of an IPv4 or IPv6 literal without brackets, or null when it is neither. */
export function canonicalIp(text: string): string | null {
  if (parseIpv4(text) !== null) return text;
  const groups = parseIpv6(text);
  return groups === null ? null : formatIpv6(groups);
}

export type CidrResult =
  | { readonly kind: "ok"; readonly text: string }
  | { readonly kind: "fault"; readonly message: string; readonly suggestion: string | null };

/** Canonical text of a CIDR block; a bare address means that one address. Host bits must be zero. */
export function canonicalCidr(text: string): CidrResult {
  const slash = text.indexOf("/");
  const addressText = slash < 0 ? text : text.slice(0, slash);
  const ipv4 = parseIpv4(addressText);
  const ipv6 = ipv4 === null ? parseIpv6(addressText) : null;
  if (ipv4 === null && ipv6 === null) {
    return { kind: "fault", message: "must be an IP address or a CIDR block", suggestion: null };
  }
  const unitBits = ipv4 === null ? 16 : 8;
  const units = ipv4 ?? ipv6 ?? [];
  const width = units.length * unitBits;
  const bitsText = slash < 0 ? String(width) : text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(bitsText) || Number(bitsText) > width) {
    return { kind: "fault", message: `must have a prefix length of 0 to ${width}`, suggestion: null };
  }
  const bits = Number(bitsText);
  const masked = units.map((unit, index) => {
    const kept = Math.max(0, Math.min(unitBits, bits - index * unitBits));
    return unit & (((1 << kept) - 1) << (unitBits - kept));
  });
  const canonical = `${ipv4 === null ? formatIpv6(masked) : masked.join(".")}/${bits}`;
  if (masked.some((unit, index) => unit !== units[index])) {
    return { kind: "fault", message: "has bits set beyond its prefix length", suggestion: canonical };
  }
  return { kind: "ok", text: canonical };
}
