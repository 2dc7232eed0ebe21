// Every response is hardened, whoever gives it.
import { type OnResponse, pass } from "sluice";

const hardened = pass({
  headers: {
    Server: null,
    "X-Powered-By": null,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
  },
});

export const onResponse: OnResponse = () => hardened;
