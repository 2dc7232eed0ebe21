/** Listening on a port again that was given up: a connection of anybody may have it as its own for a moment. */

import type { Server } from "node:net";

/** Tries of 5 ms each. */
const MOST_TRIES = 1000;

/** Listens on a port of 127.0.0.1, 0 = any. @returns the port. @throws the last error */
export async function listenOn(server: Server, port: number): Promise<number> {
  for (let tries = 1;; tries++) {
    const error = await new Promise<Error | null>((done) => {
      server.once("error", done);
      server.listen(port, "127.0.0.1", () => {
        server.off("error", done);
        done(null);
      });
    });
    if (error === null) break;
    if (tries === MOST_TRIES) throw error;
    await new Promise((soon) => setTimeout(soon, 5));
  }
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : port;
}
