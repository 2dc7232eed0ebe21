/** The part of the contract that is about tokens of security contexts. Reached through contract.ts. */

export type TokenStep =
  /** Base64. */
  | { readonly kind: "token"; readonly token: string }
  /** In words for people. */
  | { readonly kind: "failed"; readonly words: string };

/** The initiator's side of one security context (RFC 2743): SPNEGO, which is Kerberos or what the machine has besides. */
export interface TokenContext {
  /**
   * The next token. It may take seconds: a ticket may have to be fetched.
   *
   * @param token of the peer, base64; "" for the first step. Never rejects. One step at a time
   */
  step(token: string): Promise<TokenStep>;
  /** It is not needed any more. More than once is fine. */
  end(): void;
}

/** Makes them with the tickets of the user we run as, which are looked up anew for each context. */
export interface TokenSource {
  /** @param service `HTTP@host` */
  begin(service: string): TokenContext;
}
