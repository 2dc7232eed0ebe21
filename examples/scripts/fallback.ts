// A request that nobody has seen goes to the page of last resort, instead of failing.
import { type OnError, to } from "sluice";

const fallback = to("static", { uri: "/sorry.html", method: "GET" });

export const onError: OnError = ({ sent }, { method }) => !sent && method === "GET" ? fallback : undefined;
