/**
 * Runs Sluice from source: `npm start`.
 *
 *     npm start                    the demo: a backend that keeps going away, and Sluice in front of it
 *     npm start -- --to 3000       Sluice in front of your own backend; any flag or command of sluice
 */

/** Says what to serve, so that there is no need for a demo. */
const serving = /^(?:--to|--forward|--config|--help|-h|--version|-v|-c|-t)(?:=|$)/;

const args = process.argv.slice(2);
const command = args[0] !== undefined && !args[0].startsWith("-");
const configured = process.env["SLUICE_TO"] !== undefined || process.env["SLUICE_CONFIG"] !== undefined;
if (!command && !configured && !args.some((word) => serving.test(word))) {
  process.argv.splice(2, 0, "demo");
}
// npm hands a SIGTERM to the shell between us, which keeps it to itself: its going is our signal.
if (process.env["npm_lifecycle_event"] === "start" && process.platform !== "win32") {
  const shell = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(watch);
    process.kill(process.pid, "SIGTERM");
  }, 200);
  watch.unref();
}
// In this process: signals and the exit code are Sluice's own.
await import("../runtime/main_bun.ts");
