// While the file "down" is there everybody gets a page: `touch down`, `rm down`.
import { existsSync } from "node:fs";
import { type OnRequest, respond } from "sluice";

const page = respond(503, "<h1>Back in a few minutes</h1>\n", {
  "Content-Type": "text/html; charset=utf-8",
  "Retry-After": "600",
});
let down = existsSync("down");
setInterval(() => down = existsSync("down"), 250);

export const onRequest: OnRequest = () => down ? page : undefined;
