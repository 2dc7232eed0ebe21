// Endpoints stand in a file that something else writes: {"app": [3000, 3001]}. Requests under way are not disturbed.
import { setUpstream, watchFile } from "sluice";

await watchFile("upstreams.json", async (text) => {
  for (const [name, endpoints] of Object.entries(JSON.parse(text) as Record<string, number[]>)) {
    await setUpstream(name, { endpoints });
  }
});

export const onRequest = () => undefined;
