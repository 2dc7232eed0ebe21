/** An answer as its handler writes it. The types name no runtime, and nothing in them depends on a wire version. */

/** A response of a handler's own. */
export interface HttpResponse {
  /** 200 to 599; default 200. */
  readonly status?: number | undefined;
  /** The same in other words; `status` wins. */
  readonly code?: number | undefined;
  readonly headers?: FieldInit | undefined;
  readonly body?: Body | undefined;
  /** Sent after a body of unknown length, to clients that take them. */
  readonly trailers?: FieldInit | undefined;
}

/** Names to values; a list makes several lines. Or pairs. */
export type FieldInit =
  | Readonly<Record<string, string | readonly string[]>>
  | Iterable<readonly [string, string]>;

/** A text is sent as UTF-8. An iterable or a stream is asked for more only while the client takes what it has given. */
export type Body =
  | string
  | Uint8Array
  | ByteSource
  | AsyncIterable<string | Uint8Array>
  | Iterable<Uint8Array>
  | null;

/** A ReadableStream, as far as it is used. */
export interface ByteSource {
  getReader(): ByteSourceReader;
}

export interface ByteSourceReader {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
  cancel(reason?: unknown): Promise<void>;
}

/** The platform's Response, as far as it is used. */
export interface ResponseLike {
  readonly status: number;
  readonly headers: Iterable<readonly [string, string]>;
  readonly body: ByteSource | null;
  /** Where it was fetched from, "" where it was made. */
  readonly url?: string;
  arrayBuffer(): Promise<ArrayBuffer>;
}
