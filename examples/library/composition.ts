/** An application that answers some requests itself and leaves others to a backend that serves one at a time. */

import { proxy, router, serve } from "sluice";

const users = new Map([["1", "Ada"], ["2", "Grace"]]);

const gate = await serve(
  8080,
  router({
    "GET /users/:id": ({ params: { id = "" } }) => {
      const name = users.get(id);
      return name === undefined ? { status: 404 } : { headers: { "Content-Type": "text/plain" }, body: name };
    },
    // Requests wait for their turn, and for a backend that restarts, in order of arrival.
    "/api/": proxy(3000, { max_in_flight: 1, hold: "10s" }),
  }, () => ({ status: 404, body: "nothing here\n" })),
);
console.log(`listening on ${gate.addresses}`);
