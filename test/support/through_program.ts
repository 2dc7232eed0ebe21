/**
 * A command for tests of `sluice --forward -- COMMAND`. The first argument is the code it exits with, or the name of a signal that it
 * waits for; each further one is asked of the proxy that `http_proxy` names: a URL by GET, `host:port` by CONNECT and a GET through
 * the tunnel. Prints status and body of each answer.
 */

import { connect } from "node:net";
import process from "node:process";

const [end = "0", ...asked] = process.argv.slice(2);
const proxy = new URL(process.env["http_proxy"] ?? "");

/** All that comes, once the other side has ended or nothing has to come. */
function talk(first: string, inTunnel: string | null): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    let tunnelled = false;
    const socket = connect(Number(proxy.port), proxy.hostname, () => socket.write(first));
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (tunnelled || inTunnel === null || !/^HTTP\/1\.1 200[^]*\r\n\r\n$/.test(text)) return;
      tunnelled = true;
      text = "";
      socket.write(inTunnel);
    });
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
  });
}

for (const target of asked) {
  const { host, url } = target.startsWith("http://")
    ? { host: new URL(target).host, url: target }
    : { host: target, url: "/" };
  const get = `GET ${url} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  const answer = url === target
    ? await talk(get, null)
    : await talk(`CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`, get);
  const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? "none";
  console.log(`${target} ${status} ${answer.split("\r\n\r\n")[1]?.trim().split("\n").at(-1) ?? ""}`);
}
if (/^\d+$/.test(end)) {
  process.exit(Number(end));
} else {
  process.on(end, () => {
    console.log(`got ${end}`);
    process.exit(9);
  });
  console.log("waits");
  setInterval(() => {}, 1000);
}
