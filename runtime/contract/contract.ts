/**
 * The one socket interface that everything above is written against, and the few other things a
 * platform gives us. No code: three adapters implement it (`bun/`, `deno/`, `node/`), and the
 * suite in `test/contract` runs unchanged against each of them. Its parts, one noun a file, are
 * gathered here: all other code imports this file.
 *
 * Goals, in order: a caller can account for every byte; nothing is queued out of the caller's sight;
 * the fastest platform needs no glue on the byte path; misuse is harmless.
 */

export type * from "./address.ts";
export type * from "./capabilities.ts";
export type * from "./certificates.ts";
export type * from "./clock.ts";
export type * from "./datagrams.ts";
export type * from "./dial.ts";
export type * from "./digests.ts";
export type * from "./files.ts";
export * from "./listen.ts";
export * from "./process.ts";
export type * from "./runtime.ts";
export * from "./scripts.ts";
export type * from "./secure.ts";
export type * from "./sinks.ts";
export type * from "./socket.ts";
export * from "./socket_error.ts";
export type * from "./system.ts";
export * from "./system_error.ts";
export type * from "./terminal.ts";
export type * from "./tls.ts";
export type * from "./tokens.ts";
