/** The part of the contract that is about an address. Reached through contract.ts. */

/**
 * Where a socket listens or dials. `host` is an IP literal without brackets. Above the adapters it may be a name as
 * well: `src/resolve` makes addresses of it.
 */
export type Address =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };
