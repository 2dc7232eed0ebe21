// sluice --script hello.ts
import { type HttpRequest } from "sluice";

export default ({ path }: HttpRequest) => ({
  headers: { "Content-Type": "text/plain" },
  body: `hello ${path}\n`,
});
