/** The files that say how names are looked up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHosts } from "../../../src/resolve/hosts_file.ts";
import { parseNameOrder } from "../../../src/resolve/name_order.ts";
import { candidates, parseResolvConf } from "../../../src/resolve/resolv_conf.ts";

test("resolv.conf: servers, search list and options", () => {
  const conf = parseResolvConf(
    "# comment\nnameserver 10.0.0.1\nnameserver\tfe80::1%eth0\nnameserver [::1]:5353 ; more\nnameserver 10.0.0.4\n" +
      "domain old.example\nsearch A.example. b.example\noptions ndots:5 timeout:2 attempts:3 rotate use-vc edns0\n",
  );
  assert.deepEqual(conf, {
    servers: [{ host: "10.0.0.1", port: 53 }, { host: "fe80::1%eth0", port: 53 }, {
      host: "::1",
      port: 5353,
    }],
    search: ["a.example", "b.example"],
    ndots: 5,
    timeoutMs: 2000,
    attempts: 3,
    rotate: true,
    tcp: true,
  });
});

test("resolv.conf: nothing, and nonsense, mean the defaults; numbers have bounds", () => {
  const usual = parseResolvConf("");
  assert.deepEqual(usual.servers, [{ host: "127.0.0.1", port: 53 }]);
  assert.deepEqual([usual.ndots, usual.timeoutMs, usual.attempts, usual.rotate], [1, 5000, 2, false]);
  const odd =
    "nameserver\nnameserver example.com\nnameserver [::1]:0\nnameserver 01.2.3.4\noptions ndots:x\noptions\n";
  assert.deepEqual(parseResolvConf(odd), usual);
  const large = parseResolvConf("options ndots:99 timeout:0 attempts:999999999\noptions timeout:99");
  assert.deepEqual([large.ndots, large.timeoutMs, large.attempts], [15, 30_000, 5]);
});

test("names that are asked for", () => {
  const conf = parseResolvConf("search ns.svc.cluster.local cluster.local\noptions ndots:2");
  assert.deepEqual(candidates("app", conf), ["app.ns.svc.cluster.local", "app.cluster.local", "app"]);
  assert.deepEqual(candidates("a.b.c", conf), ["a.b.c", "a.b.c.ns.svc.cluster.local", "a.b.c.cluster.local"]);
  assert.deepEqual(candidates("app.", conf), ["app"], "a final dot says that the name is whole");
});

test("hosts: names in any case, several addresses, comments, and lines that are wrong", () => {
  const hosts = parseHosts(
    "127.0.0.1 localhost\n::1 localhost ip6-localhost\n10.0.0.1\tApp app.example # app\n#10.0.0.2 app\n" +
      "10.0.0.3 app\n10.0.0.3 app\n::ffff:10.0.0.4 mapped\nnonsense app\n10.0.0.9\n\n",
  );
  assert.deepEqual(hosts.get("localhost"), ["127.0.0.1", "::1"]);
  assert.deepEqual(hosts.get("app"), ["10.0.0.1", "10.0.0.3"]);
  assert.deepEqual(hosts.get("app.example"), ["10.0.0.1"]);
  assert.deepEqual(hosts.get("mapped"), ["10.0.0.4"]);
});

test("nsswitch.conf: who is asked", () => {
  const order = (hosts: string) => {
    const { files, dns, filesFirst, mdns, others } = parseNameOrder(`passwd: files\nhosts: ${hosts}\n`);
    return Object.entries({ files, dns, filesFirst, mdns, others }).filter(([, is]) => is).map(([name]) =>
      name
    );
  };
  assert.deepEqual(order("files dns"), ["files", "dns", "filesFirst"]);
  assert.deepEqual(order("dns files # x"), ["files", "dns"]);
  assert.deepEqual(order("files mdns4_minimal [NOTFOUND=return] dns"), [
    "files",
    "dns",
    "filesFirst",
    "mdns",
  ]);
  assert.deepEqual(order("mymachines resolve [!UNAVAIL=return] files myhostname dns"), [
    "files",
    "dns",
    "others",
  ]);
  assert.deepEqual(order("files ldap"), ["files", "filesFirst", "others"]);
  assert.deepEqual(parseNameOrder(""), parseNameOrder("hosts: files dns"));
});
