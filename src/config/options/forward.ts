/** Options about the forward proxy. */

import type { OptionTable } from "./option.ts";
import { noProxy, parents } from "../values/parent_types.ts";
import { originCredentials } from "../values/credential_types.ts";
import { forwardRules, holdDirect, parentBalance } from "../values/rule_types.ts";
import { destinations, forwardListeners, hostAndPort, portRanges } from "../values/forward_types.ts";
import { cidrs } from "../values/special_types.ts";
import { boolean, countOrAuto, path } from "../values/value_type.ts";

export const FORWARD_OPTIONS = {
  "forward.listen": {
    group: "Forward proxy",
    scope: "server",
    type: forwardListeners(),
    default: null,
    alias: "forward",
    bare: "auto",
    help: "be a forward proxy: where; 127.0.0.1:3128 unless given",
    doc:
      "Addresses on which clients may ask for any destination that `forward.allow`, `forward.deny` and `forward.ports` let " +
      "through: `http://` by a request for the whole URL, everything else by CONNECT. `--forward` alone is `auto`: " +
      "127.0.0.1:3128, or a free port of this machine where a command is run through the proxy (`sluice --forward -- npm ci`). " +
      "A port alone means this machine only. An address that others can reach needs one of `forward.clients`, " +
      "`forward.users`, `forward.tokens` or `forward.open`. Without `listen`, `to` and routes nothing else is listened " +
      "on. An address that is in `listen` as well is one listener for both: requests for a path are for the routes, requests " +
      "for a URL and CONNECT are for the proxy. `https://` speaks TLS with the client, with the certificate of `tls`. " +
      "In YAML `forward: 3128` is short for `forward: {listen: 3128}`.",
    example: "3128",
  },
  "forward.allow": {
    group: "Forward proxy",
    scope: "server",
    type: destinations(),
    default: "",
    alias: "allow",
    help: "destinations that may be asked for; none = all",
    doc:
      "A host, the names below one (`.example.com` or `*.example.com`, without itself), an IP address, a CIDR block, a class of " +
      "addresses (`loopback`, `link-local`, `metadata`, `private`, `special`, `public`) or `*`, each with or without `:port`. With " +
      "an entry here everything that no entry fits is answered with 403. A host, a block or a class also lets through addresses " +
      "that are denied from the start (see `forward.deny`), and an entry with a port opens that port. With entries about addresses " +
      "(blocks, classes) every name that no other entry denies is looked up, since only its addresses can tell: where name servers " +
      "are not to hear of names that are refused, list names.",
    example: "[registry.npmjs.org, .github.com:443]",
  },
  "forward.deny": {
    group: "Forward proxy",
    scope: "server",
    type: destinations(),
    default: "",
    alias: "deny",
    help: "destinations that may not be asked for",
    doc:
      "The same kinds of entries; what fits one is answered with 403, unless an entry of `forward.allow` fits that is a part of it " +
      "(deny `.example.com`, allow `www.example.com`). A name is looked up once, and each of its addresses is judged before it is " +
      "dialled. Denied from the start are addresses where clouds give away credentials (`metadata`), `special` ones, and, on " +
      "a listener that others can reach, `loopback` and `link-local` ones.",
    example: "[private, ads.example.com]",
  },
  "forward.ports": {
    group: "Forward proxy",
    scope: "server",
    type: portRanges(),
    default: null,
    help: "ports that CONNECT may lead to, like 443,8000-8999; or all",
    doc:
      "Unless given: all but those that browsers refuse (the bad ports of the Fetch standard, like 22, 25 and 6667).",
    example: '["443", 8000-8999]',
  },
  "forward.clients": {
    group: "Forward proxy",
    scope: "server",
    type: cidrs(),
    default: "",
    help: "clients that need not say who they are (CIDR)",
    doc:
      "With `forward.users` or `forward.tokens`: who connects from these blocks need not say who they are. Without: nobody " +
      "else may use the proxy.",
    example: "[10.0.0.0/8]",
  },
  "forward.users": {
    group: "Forward proxy",
    scope: "server",
    type: path(),
    default: null,
    help: "htpasswd file of those who may use the proxy",
    doc:
      "Lines `name:hash` as `htpasswd -B` writes them (bcrypt; also `$apr1$`, `{SHA}`, `$5$` and `$6$`). Clients are asked " +
      "for Basic credentials by 407. A reload reads the file anew. A file with a line that cannot be used keeps Sluice from " +
      "starting (exit code 2) and a reload from counting.",
    example: "/etc/sluice/users",
  },
  "forward.digest_file": {
    group: "Forward proxy",
    scope: "server",
    type: path(),
    default: null,
    help: "htdigest file of those who may use the proxy",
    doc:
      "Lines `user:realm:hash` as `htdigest` writes them (MD5), or with the SHA-256 of `user:realm:password`; all of one realm, and each user with " +
      "the same kinds of hashes. Clients are asked for Digest credentials (RFC 7616, `qop=auth`) beside those of `forward.users` and `forward.tokens`: no password is " +
      "sent then, and Java takes it for tunnels. Read like `forward.users`; who reads the file can pretend to be anybody in it.",
    example: "/etc/sluice/digests",
  },
  "forward.tokens": {
    group: "Forward proxy",
    scope: "server",
    type: path(),
    default: null,
    help: "file of tokens that let clients use the proxy",
    doc:
      "Lines `token name`: who sends `Proxy-Authorization: Bearer TOKEN` is `name` in the logs. Read like `forward.users`.",
    example: "/etc/sluice/tokens",
  },
  "forward.open": {
    group: "Forward proxy",
    scope: "server",
    type: boolean(),
    default: "false",
    help: "let everybody who can connect use the proxy",
    doc:
      "An address that others can reach is refused (exit code 2) without `forward.clients`, `forward.users` or " +
      "`forward.tokens`, so that nobody runs an open proxy unknowingly. This says that it is meant.",
    example: "true",
  },
  "forward.parents": {
    group: "Forward proxy",
    scope: "server",
    type: parents(),
    default: "",
    alias: "parent",
    help: "proxies to ask instead of the destinations, in order",
    doc:
      "URLs of HTTP proxies (`http://proxy:3128`, or `https://` where the way to the proxy itself is to be TLS), of SOCKS5 proxies " +
      "(`socks5h://`, which get names, and `socks5://`, which get addresses that are looked up here), and `direct` for the " +
      "destination itself. The first one that can be reached is asked, the others stand by. A user and a password may stand in " +
      "the URL (odd characters as `%XX`); they go to that proxy only. `{url: http://proxy:3128, credential: corp}`, or " +
      "`http://proxy:3128 credential=corp`, names an entry of `credentials` instead. While none can be reached, requests and " +
      "CONNECT are held for `hold`, unless `direct` is in the list. What a parent answers does not count against it: a CONNECT " +
      "that it answers with 502, 503 or 504 is asked of the next one, any other answer is the client's. Timeouts, pool, " +
      "`retry` and `upstream_tls` of the top level count for parents. Destinations that a parent is asked for are not looked up " +
      "here, so `forward.allow` and `forward.deny` go by the name, and what only an address could allow is refused. " +
      "HTTP proxies share their connections among all destinations, unless other kinds are in the list. Words may stand behind a URL " +
      "(`http://proxy:3128 weight=2`, or `{url: http://proxy:3128, weight: 2}`): `weight` (see `forward.balance`), `password_file` (its first line is " +
      "the password of the URL's user, and a reload reads it anew), and `login=pass` (HTTP proxies: clients' own Proxy-Authorization is passed on, and the " +
      "parent's challenges come back to them; one who logs in by NTLM or Negotiate has the parent's connection for itself). `http://*:password@proxy` " +
      "sends the name of the client's user (see `forward.users`) with this password. `via=URL` is another proxy, of any kind, by way of which the parent is reached " +
      "(`via_password_file` for its user).",
    example: "[http://proxy:3128, direct]",
  },
  "forward.balance": {
    group: "Forward proxy",
    scope: "server",
    type: parentBalance(),
    default: "order",
    help: "how requests are given to one of several parents",
    doc:
      "`order`: the first one that can be reached. `round_robin`: in turn, `least_conn`: where the fewest are under way, `random`: by " +
      "chance, all by weight. `source_hash`: all that comes from one client address goes to one parent, `user_hash`: all of one " +
      "user, `host_hash`: all for one destination host (so that a cache there is asked for what it has). While that parent cannot be reached, its " +
      "share is spread over the others, and comes back to it (rendezvous hashing).",
    example: "host_hash",
  },
  "forward.rules": {
    group: "Forward proxy",
    scope: "server",
    type: forwardRules(),
    default: "",
    help: "which destinations go by which parents, or not at all",
    doc:
      "A list of mappings. The first rule that a request fits decides; what none fits goes as `forward.no_parent` and `forward.parents` say. " +
      "Conditions are `host` (a name, `.suffix` or `*`), `cidr` (a destination that is an address; with `resolve: true` names are " +
      "looked up, and any of their addresses counts), `port` (`443`, `8000-8999`), `user` (who has authenticated), " +
      "`client` (CIDR of who connects). Each may be a list; `host` and `cidr` are alternatives, all others must fit as well. What is done is one of " +
      '`parents: [...]` (as `forward.parents`, with a `balance` as `forward.balance`), `deny: "reason"` (403 with that reason) and ' +
      "`direct: true`. `hold` overrules how long requests are held while there is no way: `hold` of the top level for parents, " +
      "`forward.hold_direct` for direct destinations. `name` is for logs and metrics; `rule_1`, `rule_2` and so on unless given. " +
      "`forward.allow`, `forward.deny` and `forward.ports` are asked before, and addresses when they are dialled: to keep " +
      "clients from an address, deny it there. In a flag or a variable rules are written in JSON.",
    example: "[{host: .corp.example, parents: [http://proxy:3128]}, {host: ads.example, deny: no ads}]",
  },
  "forward.hold_direct": {
    group: "Forward proxy",
    scope: "server",
    type: holdDirect(),
    default: "",
    alias: "hold_direct",
    help: "direct destinations to wait for, like localhost=30s",
    doc:
      "While such a destination refuses connections, requests and CONNECT are held for up to this time instead of being answered " +
      "with 502: a program on this machine that is restarted costs time, not requests. Entries are those of `forward.allow`, with a time; in YAML " +
      "also a mapping. The first that fits counts. All others are not held: nobody wants to wait for a name that is misspelt.",
    example: "[localhost=30s, .test:8080=5s]",
  },
  "forward.no_parent": {
    group: "Forward proxy",
    scope: "server",
    type: noProxy(),
    default: "",
    help: "destinations for which no parent is asked, like no_proxy",
    doc:
      "In the syntax of the environment variable `no_proxy`: a name is itself and all below it, `.example.com` only what is " +
      "below, an IP address or a CIDR block is itself, each with or without `:port`; `*` is everything. Names are not looked up.",
    example: "localhost,127.0.0.0/8,.internal.example",
  },
  "forward.https": {
    group: "Forward proxy",
    scope: "server",
    type: boolean(),
    default: "false",
    help: "fetch https:// URLs for clients that do not use CONNECT",
    doc:
      "A request for a URL that begins with `https://` is answered with 501 unless this is given: clients use CONNECT, and then " +
      "nobody but the origin reads it. With it Sluice speaks TLS with the origin in the client's stead, whose name has to " +
      "be in its certificate (`upstream_tls.verify` and `upstream_tls.ca` of the top level count). Between client and Sluice it is as " +
      "safe as the listener is. Not by way of parents: they are asked by CONNECT only.",
    example: "true",
  },
  "forward.pac_host": {
    group: "Forward proxy",
    scope: "server",
    type: hostAndPort(),
    default: null,
    help: "what /proxy.pac calls this proxy",
    doc:
      "Browsers get a proxy auto-configuration file by `GET /proxy.pac` from a listener of the forward proxy, unless a route takes that path. It is made of " +
      "`forward.rules`, `forward.no_parent`, `forward.allow` and `forward.deny`: what goes directly whoever asks, browsers ask for themselves, everything else " +
      "by way of us. The file names the host and port of its URL if that is an address of ours (or localhost), and this where it is a " +
      "name. With `forward.users` or `forward.tokens` everybody who can connect gets it.",
    example: "proxy.example:3128",
  },
  "forward.credentials": {
    group: "Forward proxy",
    scope: "server",
    type: originCredentials(),
    default: "",
    help: "credentials for http:// origins, like http://wiki=corp",
    doc:
      "Origins (`http://host`, `http://.suffix` for all names below one, each with or without a port) with the name of an entry of " +
      "`credentials`. A request for such an origin whose client sends no Authorization of its own is sent with it, as " +
      "`credential` of an upstream says. Entries for other machines need `cleartext: true`, since `http://` is what others can " +
      "read; what goes through a tunnel is between the client and its origin.",
    example: '["http://wiki.internal.example=corp"]',
  },
  "forward.max_tunnels": {
    group: "Forward proxy",
    scope: "server",
    type: countOrAuto(1, 10_000_000),
    default: "auto",
    help: "most CONNECT tunnels at a time; auto = 3/4 of connections",
    doc:
      "A further CONNECT gets 503. A tunnel is a client connection and often stays for hours: `auto`, three quarters of " +
      "`max_connections`, leaves some for requests.",
    example: "1000",
  },
} as const satisfies OptionTable;
