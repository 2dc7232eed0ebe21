// What took longer than a second is said on standard error.
import { log, type OnLog } from "sluice";

export const onLog: OnLog = ({ totalMs, endpoint, attempts }, { method, uri }) => {
  if (totalMs > 1000) log("slow", { method, uri, endpoint, attempts, ms: Math.round(totalMs) });
};
