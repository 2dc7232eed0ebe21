/** Handlers of the WinterTC kind, `{ fetch }`: the platform's Request made of a request of ours. */

import type { ResponseLike } from "../answer/answer_types.ts";
import type { Answer, HttpRequest, RequestHandler } from "./script_types.ts";

/** Methods whose Request may not have a body (Fetch standard, §5.4). */
const BODILESS = ["GET", "HEAD"];

export function fetchHandler(
  fetch: (request: Request) => ResponseLike | Promise<ResponseLike>,
): RequestHandler {
  return (request): Answer | Promise<Answer> => fetch(platformRequest(request));
}

function platformRequest(request: HttpRequest): Request {
  const { method, headers, scheme, uri, bodyBytes } = request;
  const authority = headers.get("host") ?? "localhost";
  const url = `${scheme}://${authority}${uri.startsWith("/") ? uri : "/"}`;
  const init = {
    method,
    headers: [...headers].map(([name, value]): [string, string] => [name, value]),
    signal: request.signal,
  };
  if (BODILESS.includes(method) || bodyBytes === 0) return new Request(url, init);
  return new Request(url, { ...init, body: streamOf(request.body), duplex: "half" } as RequestInit);
}

/** A stream that asks for more of the body when somebody reads it. */
function streamOf(body: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  let reader: AsyncIterator<Uint8Array> | null = null;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      reader ??= body[Symbol.asyncIterator]();
      const { done, value } = await reader.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await reader?.return?.();
    },
  }, { highWaterMark: 0 });
}
