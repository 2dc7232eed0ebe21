/** The commands that ask a running Sluice, and their flags. */

import { EVENT_NAMES } from "../control/event.ts";
import { type Command, type CommandFlag, JSON_FLAG, type Operands } from "./command.ts";

function flag(
  name: string,
  value: string | null,
  help: string,
  more: Partial<CommandFlag> = {},
): CommandFlag {
  return { name, value, help, ...more };
}

const CONTROL = flag("control", "PATH", "control socket to ask; not given, it is found");
const LISTEN = flag("listen", "ADDRESS", "ask the Sluice that listens there");

/** The flags that every verb has, with its own default for the one about time. */
function common(timeout: string): readonly CommandFlag[] {
  return [flag("timeout", "DURATION", timeout), JSON_FLAG, CONTROL, LISTEN];
}

const ANSWER = "longest wait for the answer  (default 10s)";
const UPSTREAM: Operands = { names: "[UPSTREAM]", least: 0, most: 1, kind: "upstreams" };
const ENDPOINT: Operands = { names: "ENDPOINT", least: 1, most: 1, kind: "endpoints" };
const WAIT_IDLE = flag("wait-idle", "DURATION", "wait for requests in flight to end  (default 0)");
const OF_UPSTREAM = flag("upstream", "NAME", "the endpoint's upstream, if several have one of that name");

export const VERB_COMMANDS: readonly Command[] = [
  {
    name: "status",
    usage: "status [--json]",
    summary: "show listeners, workers, upstreams and endpoints",
    doc:
      "One screen about the running Sluice. With --json everything that is known, as one object. With --names only the " +
      "names of its upstreams or endpoints, one a line.",
    configured: false,
    flags: [
      flag("names", "upstreams|endpoints", "print only these names", { choices: ["upstreams", "endpoints"] }),
      ...common(ANSWER),
    ],
    verb: true,
  },
  {
    name: "watch",
    usage: "watch [--until EVENT] [--timeout DURATION]",
    summary: "print events as they happen, one JSON object a line",
    doc:
      "Prints what happens from now on until interrupted, until the event of --until has come, or until Sluice is " +
      "gone (exit code 1 unless it said `stopping`). Exits with 4 when --timeout is over before --until is met.",
    configured: false,
    flags: [
      flag("until", "EVENT", "exit with 0 once this has happened; repeatable", {
        many: true,
        choices: EVENT_NAMES,
      }),
      ...common("longest time to watch  (default: no limit)"),
    ],
    verb: true,
  },
  {
    name: "top",
    usage: "top [--interval DURATION] [--once] [--json]",
    summary: "watch rates, latencies and queues on a terminal",
    doc:
      "Requests a second, latencies and waiting requests of every upstream and endpoint, over the last few intervals. Keys: " +
      "`q` quits; `n`, `r`, `l`, `w`, `f` sort by name, rate, p99, waiting, failed (once more: the other way round); `e` shows " +
      "endpoints; arrows scroll. With --once, --json, or where standard input or output is no terminal (or TERM is " +
      "dumb), it prints one sample, taken over one interval, and exits.",
    configured: false,
    flags: [
      flag("interval", "DURATION", "time between samples, at least 100ms  (default 1s)"),
      flag("once", null, "print one sample and exit"),
      JSON_FLAG,
      CONTROL,
      LISTEN,
    ],
    verb: true,
  },
  {
    name: "pause",
    usage: "pause [UPSTREAM] [--wait-idle DURATION] [--lease DURATION]",
    summary: "hold new requests, of one upstream or of all",
    doc:
      "New requests wait in the waiting room; those in flight end. With --wait-idle it returns when none is in " +
      "flight any more, or exits with 4 (and stays paused). With --lease the pause ends by itself. Every " +
      "pause is one of its own, and requests are held until the last has ended: a second one with a lease does not " +
      "shorten one without, nor does the end of a `with-pause` end it. Interrupted while it waits, it resumes. Requests " +
      "wait at most `hold`, but 30 s at least.",
    configured: false,
    flags: [
      WAIT_IDLE,
      flag("lease", "DURATION", "resume by itself after this time  (default: never)"),
      ...common(ANSWER),
    ],
    operands: UPSTREAM,
    verb: true,
  },
  {
    name: "resume",
    usage: "resume [UPSTREAM]",
    summary: "let held requests go, oldest first",
    doc:
      "Ends the pauses that operators have begun, with `pause` or on the status page. Says which upstreams are still " +
      "held by others: a running `with-pause`, the restart of a command, an upgrade. Requests go in order, as fast as the " +
      "endpoints take them. Nothing paused is fine.",
    configured: false,
    flags: common(ANSWER),
    operands: UPSTREAM,
    verb: true,
  },
  {
    name: "with-pause",
    usage: "with-pause [UPSTREAM] [--wait-idle DURATION] -- COMMAND [ARGUMENT...]",
    summary: "hold requests while a command runs",
    doc:
      "Pauses, runs the command, resumes: also if the command fails or is killed, or we are told to stop (TERM, INT " +
      "and HUP go to the command). The pause has a lease that is renewed while the command runs, so that it ends by " +
      "itself when we are killed. Nobody else ends it, and it ends no other pause. Exits as the command does (128 + " +
      "signal when one ended it, 127 when it could not be started); with 4, without running it, when --wait-idle did not " +
      "come true; with 1 when the command was well but the pause was lost, because Sluice was started anew, say.",
    configured: false,
    flags: [
      WAIT_IDLE,
      flag("lease", "DURATION", "what the pause outlives us by  (default 10s)"),
      ...common(ANSWER),
    ],
    operands: { ...UPSTREAM, names: "[UPSTREAM] -- COMMAND...", rest: true },
    verb: true,
  },
  {
    name: "drain",
    usage: "drain ENDPOINT [--upstream NAME] [--wait] [--window DURATION]",
    summary: "send an endpoint no new requests",
    doc:
      "Its idle connections are closed, its WebSockets are ended with Close 1001 spread over the window, and what " +
      "is left after that is cut off. With --wait it returns when nothing of it is open any more.",
    configured: false,
    flags: [
      OF_UPSTREAM,
      flag("wait", null, "return when nothing of it is open any more"),
      flag("window", "DURATION", "time for what is open to end  (default 30s)"),
      ...common("longest wait for the answer  (default 10s; with --wait the window and 10s)"),
    ],
    operands: ENDPOINT,
    verb: true,
  },
  {
    name: "undrain",
    usage: "undrain ENDPOINT [--upstream NAME]",
    summary: "send a drained endpoint requests again",
    doc: "Ends what `drain` began.",
    configured: false,
    flags: [OF_UPSTREAM, ...common(ANSWER)],
    operands: ENDPOINT,
    verb: true,
  },
  {
    name: "swap",
    usage: "swap [UPSTREAM] --to ADDRESS... [--health PATH [--health-host HOST]]",
    summary: "replace an upstream's endpoints in one step",
    doc:
      "The new endpoints must accept connections (and answer --health with 200 to 399) first; then they take over at " +
      "once, and the old ones drain. If they do not get ready in time it exits with 1 and nothing has changed. It lasts " +
      "until the configuration itself names other endpoints, or the next start. --health is asked with the Host that requests " +
      "have: the one that `host_header` names, else the host of the first route that leads there and has one, else the " +
      "endpoint's address; --health-host says another.",
    configured: false,
    flags: [
      flag("to", "ADDRESS,...", "the new endpoints; repeatable", { many: true }),
      flag("health", "PATH", "what they must answer with 200 to 399"),
      flag("health-host", "HOST", "Host to ask that with  (default: see above)"),
      flag("drain", "DURATION", "time for what is open to the old ones  (default 30s)"),
      ...common("time for the new ones to get ready  (default 30s)"),
    ],
    operands: UPSTREAM,
    verb: true,
  },
  {
    name: "wait",
    usage: "wait [UPSTREAM] --healthy|--idle",
    summary: "wait until an upstream can be reached, or is idle",
    doc: "Exits with 0 when it is so, with 4 when it was not in time.",
    configured: false,
    flags: [
      flag("healthy", null, "until an endpoint can be reached"),
      flag("idle", null, "until nothing is in flight and nobody waits"),
      ...common("longest wait  (default 30s)"),
    ],
    operands: UPSTREAM,
    verb: true,
  },
  {
    name: "reload",
    usage: "reload",
    summary: "read the configuration anew",
    doc:
      "Changes what differs and nothing else: connections, waiting requests and what is known of endpoints stay. A " +
      "configuration with problems changes nothing; they are printed, and the exit code is 2.",
    configured: false,
    flags: common("longest wait for the answer  (default 30s)"),
    verb: true,
  },
  {
    name: "restart",
    usage: "restart [UPSTREAM]",
    summary: "restart the command that Sluice runs; requests wait",
    doc: "Without a name: every command that it runs. Returns when they serve again.",
    configured: false,
    flags: common("longest wait for it to serve again  (default 1m)"),
    operands: UPSTREAM,
    verb: true,
  },
  {
    name: "upgrade",
    usage: "upgrade [BINARY]",
    summary: "replace the running program without a gap",
    doc:
      "Starts the new program (what is in its own file now unless one is named), with the same arguments and the listening " +
      "sockets. Once it serves, the old one stops accepting and drains. If the new one fails nothing has changed. What waits in the " +
      "old one goes to the endpoints that the new one has read of, and verbs mean both, whatever their upstreams are called. Should the " +
      "old one not answer (it is stopped, or hangs), a verb is carried out by all others, says so after 3 s and exits with 4.",
    configured: false,
    flags: common("longest wait for the new one to serve  (default 1m)"),
    operands: { names: "[BINARY]", least: 0, most: 1, kind: "files" },
    verb: true,
  },
  {
    name: "stop",
    usage: "stop [--now]",
    summary: "stop, and return when it is gone",
    doc: "Stops accepting, lets what is in flight end (at most `drain_timeout`) and ends.",
    configured: false,
    flags: [
      flag("now", null, "cut off what is in flight"),
      ...common("longest wait for its end  (default: no limit)"),
    ],
    verb: true,
  },
  {
    name: "reopen",
    usage: "reopen",
    summary: "open the log files anew",
    doc: "For log rotation; the same as SIGUSR1.",
    configured: false,
    flags: common(ANSWER),
    verb: true,
  },
  {
    name: "explain",
    usage: "explain [--method METHOD] --url URL [-H FIELD]... [options]",
    summary: "say what would become of a request, without sending it",
    doc:
      "Asks the running Sluice: route, endpoints, whether it may wait and be sent again, what happens to its body, " +
      "timeouts, header fields. Where there is a forward proxy, CONNECT and a whole URL are explained as it would take them: " +
      "which rule decides, which credentials are asked for, and, with --resolve, which addresses the name has and which of them " +
      "may be dialled; nothing is dialled, and without --resolve nothing is looked up. A path is for the routes. With --to, --script or --config it asks nobody and says what that " +
      "configuration would do; a running Sluice does not try scripts for it. Scripts are run, and what they ask upstreams for gets " +
      "what --stub says.",
    configured: true,
    flags: [
      flag("method", "METHOD", "its method  (default GET)"),
      flag("url", "URL", "http://host/path, or a path; host:port for CONNECT"),
      flag("header", "FIELD", 'a field line, "Name: value"; repeatable', { many: true, short: "H" }),
      flag("body-bytes", "COUNT", "length of its body  (default 0)"),
      flag("user", "NAME", "through the forward proxy: as a user who has logged in"),
      flag("resolve", null, "through the forward proxy: look the name up, and judge its addresses"),
      flag("chunked", null, "its body has no known length"),
      flag("stub", "UPSTREAM=STATUS", "what scripts get that ask this upstream; repeatable", { many: true }),
      flag("timeout", "DURATION", ANSWER),
      JSON_FLAG,
    ],
    verb: true,
  },
];
