import assert from "node:assert/strict";
import { test } from "node:test";
import { proxyVariables } from "../../../../src/cli/through/proxy_variables.ts";

const URL = "http://127.0.0.1:4000";

test("all programs are led to the proxy, but for what is on this machine", () => {
  assert.deepEqual(proxyVariables(URL, { HTTP_PROXY: "http://other:1", ALL_PROXY: "socks5://other:2" }), {
    http_proxy: URL,
    HTTP_PROXY: URL,
    https_proxy: URL,
    HTTPS_PROXY: URL,
    all_proxy: URL,
    ALL_PROXY: URL,
    no_proxy: "localhost,127.0.0.1,::1",
    NO_PROXY: "localhost,127.0.0.1,::1",
    NODE_USE_ENV_PROXY: "1",
  });
});

test("what is said of no_proxy stays, an empty one too, and counts in both cases", () => {
  const both = (env: Record<string, string>) => {
    const { no_proxy, NO_PROXY } = proxyVariables(URL, env);
    return [no_proxy, NO_PROXY];
  };
  assert.deepEqual(both({ no_proxy: "a" }), ["a", "a"]);
  assert.deepEqual(both({ NO_PROXY: "" }), ["", ""]);
  assert.deepEqual(both({ no_proxy: "a", NO_PROXY: "b" }), ["a", "b"]);
  assert.equal(proxyVariables(URL, { NODE_USE_ENV_PROXY: "0" })["NODE_USE_ENV_PROXY"], "0");
});
