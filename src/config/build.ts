/** Option values in the shape of `Config`: names and grouping change here, values do not. */

import type {
  AdminConfig,
  BackendConfig,
  EndpointConfig,
  LogConfig,
  ProcessConfig,
  RetryConfig,
  ServerConfig,
  ThroughConfig,
  TlsFiles,
  UpstreamConfig,
} from "./values/config.ts";
import type { OptionValues, UpstreamOptionValues } from "./options/options.ts";

/** `body_rate: auto` where slots are limited: as in Kestrel (240 B/s); no usable link is slower. Bytes a second. */
const SLOT_BODY_RATE = 240;

/** The `retry.*` options as one value. `off` is one attempt after no failure at all. */
export function buildRetry(values: UpstreamOptionValues): RetryConfig {
  const off = values["retry.mode"] === "off";
  return {
    on: off ? [] : values["retry.on"],
    methods: values["retry.methods"],
    tries: off ? 1 : values["retry.tries"],
    unansweredTries: values["retry.unanswered_tries"],
    unanswered: values["retry.mode"] === "unanswered",
  };
}

export function buildUpstream(
  name: string,
  endpoints: readonly EndpointConfig[],
  values: UpstreamOptionValues,
): UpstreamConfig {
  return {
    name,
    endpoints,
    eachAddress: values.each_address,
    policy: values.policy,
    holdMs: values.hold,
    holdIntervalMs: values.hold_interval,
    maxInFlight: values.max_in_flight,
    queue: {
      size: values["queue.size"],
      bytes: values["queue.bytes"],
      timeoutMs: values["queue.timeout"],
    },
    requestBufferBytes: values.request_buffer,
    retry: buildRetry(values),
    connectTimeoutMs: values.connect_timeout,
    firstByteTimeoutMs: values.first_byte_timeout,
    bodyIdleTimeoutMs: values.body_idle_timeout,
    bodyRate: values.body_rate ?? (values.max_in_flight > 0 ? SLOT_BODY_RATE : 0),
    tunnelIdleTimeoutMs: values.tunnel_idle_timeout,
    pool: {
      size: values["pool.size"],
      idleTimeoutMs: values["pool.idle_timeout"],
      maxAgeMs: values["pool.max_age"],
    },
    hostHeader: values.host_header,
    tls: {
      verify: values["upstream_tls.verify"],
      caFile: values["upstream_tls.ca"],
      serverName: values["upstream_tls.server_name"],
      certFile: values["upstream_tls.cert"],
      keyFile: values["upstream_tls.key"],
    },
    credential: values.credential,
    child: buildChild(values),
  };
}

function buildChild(values: UpstreamOptionValues): BackendConfig | null {
  if (values.command === null) return null;
  return {
    command: values.command,
    folder: values["child.folder"],
    startOnDemand: values.start_on_demand,
    stopWhenIdleMs: values.stop_when_idle,
    output: values["child.output"],
    stdout: values["child.stdout"],
    stopSignal: values["child.stop_signal"],
    stopTimeoutMs: values["child.stop_timeout"],
    maxFailures: values["child.max_failures"],
    forward: values["child.forward"],
  };
}

export function buildServer(values: OptionValues): ServerConfig {
  return {
    headTimeoutMs: values.head_timeout,
    bodyIdleTimeoutMs: values.body_idle_timeout,
    keepAliveTimeoutMs: values.keep_alive_timeout,
    clientHalfClose: values.client_half_close,
    drainTimeoutMs: values.drain_timeout,
    maxHeadBytes: values.max_head,
    maxTargetBytes: values.max_target,
    maxFields: values.max_fields,
    maxBodyBytes: values.max_body,
    maxConnections: values.max_connections,
    trustedProxies: values.trusted_proxies,
    via: values.via,
    underscoreFields: values.underscore_fields,
    upgrades: values.upgrades,
    lenientTarget: values.lenient_target,
    lenientUpstream: values.lenient_upstream,
    backlog: values.backlog,
  };
}

export function buildLog(values: OptionValues): LogConfig {
  return {
    accessLog: { format: values["access_log.format"], to: values["access_log.to"] },
    logLevel: values.log_level,
    logFormat: values.log_format,
  };
}

/** @param through what is run through the forward proxy */
export function buildProcess(values: OptionValues, through: ThroughConfig | null): ProcessConfig {
  return {
    workers: values.workers,
    sockets: values.sockets,
    control: values.control,
    controlAccess: { mode: values.control_mode, owner: null, group: values.control_group },
    unix: { mode: values["unix.mode"], owner: values["unix.owner"], group: values["unix.group"] },
    watch: values.watch,
    readyFd: values.ready_fd,
    portFile: values.port_file,
    pidFile: values.pid_file,
    exitWithChild: values.exit_with_child,
    through,
  };
}

export function buildAdmin(values: OptionValues): AdminConfig | null {
  if (values.admin === null) return null;
  return { address: values.admin, actions: values.admin_actions, tokenFile: values.admin_token_file };
}

export function buildTls(values: OptionValues): TlsFiles | null {
  const certFile = values["tls.cert"];
  const keyFile = values["tls.key"];
  return certFile === null || keyFile === null ? null : { certFile, keyFile };
}
