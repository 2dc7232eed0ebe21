/** Starts a group with a guard, prints the ids of its processes, and waits to be killed. */
import process from "node:process";
import { createSystem } from "../../runtime/shared/system.ts";

const STUBBORN = "trap '' TERM; while :; do sleep 0.05; done";
const command = `sleep 60 & a=$!; sh -c "${STUBBORN}" & echo $$ $a $!; wait`;
createSystem().spawn({
  command: ["sh", "-c", command],
  env: {},
  folder: null,
  stdin: "ignore",
  stdout: "events",
  stderr: 2,
  ownGroup: true,
  endsWithUsMs: 500,
}, {
  output: (_fd, bytes) => process.stdout.write(bytes),
  outputEnded: () => {},
  exited: () => process.exit(1),
});
