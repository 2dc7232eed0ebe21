import { serve } from "sluice";
const gate = await serve(8080, () => ({ body: "hello world\n" }));
console.log(`listening on ${gate.addresses}`);
