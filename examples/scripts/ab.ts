// One client in five gets the candidate, and always the same ones; the access log tells which arm it was.
import { hash, type OnRequest, to } from "sluice";

const stable = to("stable", { log: { arm: "a" } });
const candidate = to("candidate", { headers: { "X-Arm": "b" }, log: { arm: "b" } });

export const onRequest: OnRequest = (request) =>
  hash("arm-1:" + (request.cookie("session") ?? request.client)) % 100 < 20 ? candidate : stable;
