import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../../src/config/load_config.ts";
import { formatProblem } from "../../../../src/config/values/problem.ts";

/** What the kubelet sets for a Service: pkg/kubelet/envvars/envvars.go. */
function kubernetes(
  name: string,
  ip: string,
  ports: readonly (readonly [number, string, string])[],
): Record<string, string> {
  const host = ip.includes(":") ? `[${ip}]` : ip;
  const first = ports[0]?.[0];
  const env: Record<string, string> = {
    [`${name}_SERVICE_HOST`]: ip,
    [`${name}_SERVICE_PORT`]: String(first),
    [`${name}_PORT`]: `tcp://${host}:${first}`,
  };
  for (const [port, protocol, label] of ports) {
    if (label !== "") env[`${name}_SERVICE_PORT_${label}`] = String(port);
    const of = `${name}_PORT_${port}_${protocol}`;
    env[of] = `${protocol.toLowerCase()}://${host}:${port}`;
    env[`${of}_PROTO`] = protocol.toLowerCase();
    env[`${of}_PORT`] = String(port);
    env[`${of}_ADDR`] = ip;
  }
  return env;
}

function problems(env: Record<string, string>): string[] {
  const loaded = loadConfig({ flags: { to: ["3000"] }, env, file: null });
  return loaded.ok ? [] : loaded.problems.map(formatProblem);
}

for (
  const [what, env] of [
    ["a Service named sluice", kubernetes("SLUICE", "10.96.12.7", [[8080, "TCP", ""]])],
    [
      "with named ports",
      kubernetes("SLUICE", "10.96.12.7", [[80, "TCP", "HTTP"], [9090, "UDP", "WEB_METRICS"]]),
    ],
    ["over IPv6", kubernetes("SLUICE", "fd00:10:96::7", [[80, "SCTP", ""]])],
    ["named sluice-admin", kubernetes("SLUICE_ADMIN", "10.96.12.8", [[9180, "TCP", ""]])],
    ["named sluice-service", kubernetes("SLUICE_SERVICE", "10.96.12.8", [[9180, "TCP", ""]])],
    ["named sluice-listen, like an option", kubernetes("SLUICE_LISTEN", "10.96.12.9", [[80, "TCP", "HTTP"]])],
    ["a link of Docker", {
      SLUICE_PORT: "tcp://172.17.0.5:8080",
      SLUICE_PORT_8080_TCP: "tcp://172.17.0.5:8080",
      SLUICE_PORT_8080_TCP_START: "tcp://172.17.0.5:8080",
      SLUICE_PORT_8081_TCP_END: "tcp://172.17.0.5:8081",
      SLUICE_PORT_8080_TCP_ADDR: "172.17.0.5",
      SLUICE_PORT_8080_TCP_PORT: "8080",
      SLUICE_PORT_8080_TCP_PORT_START: "8080",
      SLUICE_PORT_8080_TCP_PROTO: "tcp",
      SLUICE_NAME: "/web/sluice",
      SLUICE_ENV_LANG: "C.UTF-8",
    }],
    ["a link that is named like the beginning of an option", {
      SLUICE_UPSTREAM_TLS_SERVER_PORT: "tcp://172.17.0.5:8080",
      SLUICE_UPSTREAM_TLS_SERVER_NAME: "/web/sluice_upstream_tls_server",
    }],
  ] as const
) {
  test(`no option: ${what}`, () => assert.deepEqual(problems(env), []));
}

test("options beside a Service are read", () => {
  const env = {
    ...kubernetes("SLUICE_LISTEN", "10.96.12.9", [[80, "TCP", ""]]),
    SLUICE_LISTEN: "127.0.0.1:9000",
  };
  const loaded = loadConfig({ flags: { to: ["3000"] }, env, file: null });
  assert.ok(loaded.ok);
  assert.deepEqual(loaded.config.listen[0]?.address, { kind: "tcp", host: "127.0.0.1", port: 9000 });
});

for (
  const [name, value] of [
    ["SLUICE_PORT", "8080"],
    ["SLUICE_ADMIN_PORT", "9180"],
    ["SLUICE_SERVICE_PORT", "8080"],
    ["SLUICE_SERVICE_HOST", "localhost"],
    ["SLUICE_LISTEN_PORT", "127.0.0.1:80"],
    ["SLUICE_NAME", "/web/sluice"],
    ["SLUICE_ENV_LANG", "C"],
    ["SLUICE_QUEUE_SIZ", "tcp://10.0.0.1:80"],
  ] as const
) {
  test(`${name}=${value} alone is a misspelt option`, () => {
    const [problem = "", ...more] = problems({ [name]: value });
    assert.ok(problem.startsWith(`${name}: unknown variable`), problem);
    assert.deepEqual(more, []);
  });
}

test("a misspelt option beside a Service is still told", () => {
  const env = { ...kubernetes("SLUICE", "10.96.12.7", [[80, "TCP", ""]]), SLUICE_HOLDD: "3s" };
  assert.equal(problems(env).length, 1);
});
