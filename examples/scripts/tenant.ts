// Each tenant has an upstream of its own, named by a field, a cookie or the host.
import { type OnRequest, reject, to } from "sluice";

const tenants = new Map([["acme", to("acme")], ["globex", to("globex")]]);
const unknown = reject(404, "there is no such tenant");

export const onRequest: OnRequest = (request) =>
  tenants.get(
    request.headers.get("x-tenant") ?? request.cookie("tenant") ?? request.host.split(".")[0] ?? "",
  ) ??
    unknown;
