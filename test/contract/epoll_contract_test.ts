/** Runs the contract suite against the sockets of `--sockets epoll`, which Bun on Linux has. */
import { test } from "node:test";
import { adapterFactory, overEpoll } from "../support/adapter.ts";
import { contractSuite } from "./suite.ts";

const make = await adapterFactory();
if (make({ onHandlerError: () => {} }).capabilities.epoll) {
  contractSuite({
    makeRuntime: overEpoll(make),
    scenarios: ["sockets", "peers", "unix", "tls", "secure", "securePeers"],
  });
} else test("sockets over epoll", { skip: "capability: epoll" }, () => {});
