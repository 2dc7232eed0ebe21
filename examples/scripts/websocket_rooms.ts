// Everybody in a room meets at the same endpoint; only pages of our own may open a WebSocket.
import { type OnRequest, reject, tunnel } from "sluice";

const origins = new Set(["https://chat.example", "http://localhost:8080"]);
const stranger = reject(403, "not from there");

export const onRequest: OnRequest = (request) => {
  if (request.upgrade !== "websocket") return undefined;
  if (!origins.has(request.headers.get("origin") ?? "")) return stranger;
  return tunnel("realtime", { key: request.query.get("room") ?? request.client });
};
