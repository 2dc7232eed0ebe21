/** Prints the first steps of three contexts for services that nobody has tickets for, made by a process of its own. */
import process from "node:process";
import { serveTokens, tokenSource } from "../../runtime/shared/token_process.ts";

if (!serveTokens()) {
  const source = tokenSource();
  const steps = await Promise.all(
    ["HTTP@one.invalid", "HTTP@two.invalid", "nonsense"].map(async (service) => {
      const context = source?.begin(service);
      const step = await context?.step("");
      context?.end();
      context?.end();
      return step ?? null;
    }),
  );
  process.stdout.write(JSON.stringify(steps));
  process.exit(0);
}
