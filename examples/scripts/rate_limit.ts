// Fifty requests a second for each client, shared out among the workers.
import { type OnRequest, reject, worker } from "sluice";

const most = 50 / worker.count;
const counts = new Map<string, number>();
const slow = reject(429, "too many requests", { "Retry-After": "1" });
setInterval(() => counts.clear(), 1000);

export const onRequest: OnRequest = ({ client }) => {
  const count = (counts.get(client) ?? 0) + 1;
  counts.set(client, count);
  return count > most ? slow : undefined;
};
