// The share of the canary stands in a file: `echo 10 > canary.txt`, and from the next request on one in ten goes there.
import { type OnRequest, to, watchFile } from "sluice";

const stable = to("stable"), canary = to("canary");
let percent = 0;

await watchFile("canary.txt", (text) => {
  percent = Math.min(100, Math.max(0, Number(text) || 0));
});

export const onRequest: OnRequest = () => Math.random() * 100 < percent ? canary : stable;
