// Several answers by path; everything else goes on to the routes.
import { type HttpRequest, next, respond, router } from "sluice";

const JSON_TYPE = { "Content-Type": "application/json" };
const user = ({ params }: HttpRequest) => respond(200, JSON.stringify({ id: params["id"] }), JSON_TYPE);

export const onRequest = router({
  "/health": () => ({ body: "fine\n" }),
  "GET /users/:id": user,
  "/files/*": ({ params }) => ({ body: `file ${params["*"]}\n` }),
}, () => next());
