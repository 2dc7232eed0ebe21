// A copy of one GET in twenty goes to another upstream; what that answers is dropped.
import { next, type OnRequest } from "sluice";

const copied = next({ mirror: "shadow" });

export const onRequest: OnRequest = ({ method }) =>
  method === "GET" && Math.random() < 0.05 ? copied : undefined;
