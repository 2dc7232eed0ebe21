/** An IPv4 peer of a socket for both families, which the platforms report as `::ffff:192.0.2.1`, in the usual form. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return "";
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}
