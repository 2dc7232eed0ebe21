/** Asks an endpoint itself whether it is ready, outside of all that is served. */

import {
  type Address,
  type ClientTls,
  type Runtime,
  type System,
  SystemError,
} from "../../runtime/contract/contract.ts";
import { HttpCall } from "../client/http_call.ts";
import type { Probe } from "../control/changes.ts";
import type { EndpointSettings } from "../upstream/endpoint_settings.ts";
import { endpointSettings } from "../process/worker/endpoint_settings.ts";

/** A single look takes no longer, so that one that hangs is not all there is. */
const LOOK_MS = 5000;

export function endpointProbe(runtime: Runtime, system: System): Probe {
  return async (upstream, endpoint, health, timeoutMs) => {
    const one = { ...upstream, endpoints: [endpoint] };
    let settings: EndpointSettings | undefined;
    try {
      [settings] = await endpointSettings(system, one, null);
    } catch (error) {
      // A file of upstream_tls that has changed since it was read.
      if (!(error instanceof SystemError)) throw error;
      return error.message;
    }
    if (settings === undefined) return "no such endpoint";
    const { key: { address, tls }, hostField } = settings;
    const patienceMs = Math.min(timeoutMs, LOOK_MS, upstream.connectTimeoutMs);
    if (health === null) return await accepts(runtime, address, tls, patienceMs);
    const host = health.host ?? hostField;
    const { reply } = HttpCall.begin(runtime, address, {
      tls,
      method: "GET",
      target: health.path,
      host,
      body: "",
      timeoutMs: Math.min(timeoutMs, LOOK_MS),
    });
    const probed = await reply;
    if (!probed.ok) return `${probed.code}: ${probed.detail}`;
    const { status } = probed;
    return status >= 200 && status < 400
      ? null
      : `GET ${health.path} with Host ${host} is answered ${status}`;
  };
}

/** Whether a connection can be opened; it is closed at once. */
function accepts(
  runtime: Runtime,
  address: Address,
  tls: ClientTls | null,
  timeoutMs: number,
): Promise<string | null> {
  return new Promise((done) => {
    runtime.dial({ address, tls, timeoutMs }, {
      opened(socket) {
        socket.close();
        done(null);
        return { data() {}, drained() {}, ended() {}, closed() {} };
      },
      failed: ({ code, detail }) => done(detail === "" ? code : `${code}: ${detail}`),
    });
  });
}
