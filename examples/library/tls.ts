/** TLS with a certificate that is renewed, and a rule before everything else. */

import { next, open, type OpenOptions, reject } from "sluice";

// Decisions are made once, and checked when they are made.
const unknown = reject(401, "a token is needed", { "WWW-Authenticate": "Bearer" });
const admitted = next({ headers: { "Authorization": null, "X-Admitted": "yes" } });

const options: OpenOptions = {
  listen: "https://0.0.0.0:8443",
  upstreams: { app: { endpoints: [3000] } },
  options: { tls: { cert: "cert.pem", key: "key.pem" } },
  onRequest: (request) => {
    if (!request.under("/admin")) return;
    return request.headers.get("authorization") === "Bearer let-me-in" ? admitted : unknown;
  },
};
const gate = await open(options);
console.log(`listening on ${gate.addresses}`);

// The files are read anew when options are given again; open connections keep what they have.
setInterval(() => {
  gate.reload(options).catch((error) => console.error(String(error)));
}, 12 * 3_600_000);
