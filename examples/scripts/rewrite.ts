// An old address leads to where things are now.
import { type OnRequest, to } from "sluice";

export const onRequest: OnRequest = ({ uri }) =>
  uri.startsWith("/v1/") ? to("api", { uri: "/legacy/" + uri.slice(4) }) : undefined;
