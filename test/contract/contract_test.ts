/** Runs the contract suite against the adapter of the runtime that runs the test. */
import { adapterFactory } from "../support/adapter.ts";
import { contractSuite } from "./suite.ts";

contractSuite({
  makeRuntime: await adapterFactory(),
  scenarios: ["sockets", "peers", "unix", "tls", "secure", "securePeers"],
});
