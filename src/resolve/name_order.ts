/** nsswitch.conf(5): who is asked about hosts. What Sluice cannot ask itself is left to the platform's resolver. */

export interface NameOrder {
  /** The hosts file is read. */
  readonly files: boolean;
  /** Name servers are asked. */
  readonly dns: boolean;
  /** The hosts file counts before what name servers say. */
  readonly filesFirst: boolean;
  /** Multicast DNS answers for names below `local` (RFC 6762 §3). */
  readonly mdns: boolean;
  /** Another service may know names that the hosts file and name servers do not: a directory, virtual machines. */
  readonly others: boolean;
}

/** @param text "" where there is no file */
export function parseNameOrder(text: string): NameOrder {
  const line = text.split("\n").find((each) => /^\s*hosts\s*:/.test(each)) ?? "hosts: files dns";
  const sources = line.replace(/#.*$/, "").replace(/^[^:]*:/, "").replace(/\[[^\]]*\]/g, " ").trim().split(
    /\s+/,
  )
    .filter((word) => word !== "");
  const files = sources.indexOf("files");
  // systemd-resolved is what resolv.conf names where it is in use; it may know more names than it tells name clients.
  const dns = sources.findIndex((source) => source === "dns" || source === "resolve");
  const known = (source: string) => source === "files" || source === "dns" || source.startsWith("mdns");
  return {
    files: files >= 0,
    dns: dns >= 0,
    filesFirst: files >= 0 && (dns < 0 || files < dns),
    mdns: sources.some((source) => source.startsWith("mdns")),
    others: sources.some((source) => !known(source)),
  };
}
