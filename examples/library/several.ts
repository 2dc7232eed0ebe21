/** Several gates in one program: one for everybody, one for those who run it. */

import { open, serve } from "sluice";

const everybody = await open({
  listen: 8080,
  upstreams: { app: { endpoints: [3000] } },
  log: (line) => console.error("public:", line),
});

// Paths of operators, on this machine only.
const operators = await serve("127.0.0.1:8081", async ({ path, method }) => {
  if (path === "/status") return { body: JSON.stringify(everybody.status(), null, 2) };
  if (method !== "POST") return { status: 404 };
  if (path === "/pause") await everybody.pause();
  else if (path === "/resume") await everybody.resume();
  else return { status: 404 };
  return { status: 204 };
});
console.log(`listening on ${everybody.addresses} and ${operators.addresses}`);
