/**
 * Clients of a forward proxy send the same bytes again and again on the same connections, so that nearly everything about them is
 * remembered, while reloads change who may ask, what is denied, what rules say, which credentials an origin gets, and whether
 * https:// is fetched. Whatever the order, each request becomes what the configuration of that moment makes of it.
 *
 * A failure prints the seed and what was done; SLUICE_TEST_SEED runs one seed.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../../fuzz/support/random.ts";
import type { Peer } from "../../../support/memory_lab.ts";
import { answerOf, PlaneLab } from "../../../support/plane_lab.ts";
import { walkSeeds } from "../../../support/seeds.ts";

const SEEDS = 3;
const STEPS = 60;
const ORIGIN = 3001;
const PARENT = 4001;
const USERS = ["alice", "bob"] as const;
/** Of "wonder". */
const HASH = "{SHA}w3QkzGJswDXW5OKZHAJw0FELjfM=";
/** The lab looks no name up, so a name is reached by way of a parent only. */
const TARGETS = [
  `http://127.0.0.1:${ORIGIN}/a`,
  `http://127.0.0.1:${ORIGIN}/b`,
  `http://[::ffff:127.0.0.1]:${ORIGIN}/a`,
  `http://127.0.0.2:${ORIGIN}/a`,
  `http://127.0.0.2:${ORIGIN}?b`,
  `http://name.test/a`,
  `http://NAME.test:80/b`,
  `https://127.0.0.2:${ORIGIN}/a`,
  `http://127.0.0.2:0/a`,
] as const;

interface World {
  /** Null = nobody is asked. */
  readonly users: readonly string[] | null;
  readonly denied: readonly string[];
  readonly rule: "none" | "deny" | "parents";
  /** Whom the rule is for; "" = all. */
  readonly ruleUser: string;
  /** Our user for the origin; "" = none. */
  readonly svc: string;
  readonly https: boolean;
}

function yamlOf({ users, denied, rule, ruleUser, svc, https }: World): string {
  const action = rule === "deny" ? "deny: closed" : `parents: ["127.0.0.1:${PARENT}"]`;
  // A rule for a user needs users.
  const whom = ruleUser === "" ? "" : `user: ${ruleUser}, `;
  return [
    "forward:",
    '  listen: "127.0.0.1:0"',
    "  ports: all",
    `  https: ${https}`,
    `  deny: [${denied.map((entry) => JSON.stringify(entry)).join(", ")}]`,
    ...(users === null ? [] : ["  users: /users"]),
    ...(rule === "none" ? [] : [`  rules: [{name: one, ${whom}host: .test, cidr: 127.0.0.2/32, ${action}}]`]),
    ...(svc === "" ? [] : [`  credentials: ["http://127.0.0.1:${ORIGIN}=corp"]`]),
    ...(svc === "" ? [] : [
      `credentials: {corp: {scheme: basic, user: ${svc}, password_file: /secret, cleartext: true}}`,
    ]),
  ].join("\n") + "\n";
}

/** @param user "" = says nothing */
function expected(world: World, user: string, target: string): RegExp {
  const { users, denied, rule, ruleUser, svc, https } = world;
  const isHttps = target.startsWith("https:");
  if (target.includes(":0/")) return /^400 /;
  if (isHttps && !https) return /^501 /;
  if (users !== null && !users.includes(user)) return /^407 /;
  const host = /127\.0\.0\.[12]|name\.test/i.exec(target)?.[0].toLowerCase() ?? "";
  if (denied.includes(host)) return /^403 /;
  const asUser = users === null ? "" : user;
  if (rule !== "none" && host !== "127.0.0.1" && (ruleUser === "" || ruleUser === asUser)) {
    if (rule === "deny") return /^403 /;
    return isHttps ? /^501 / : exactly(`200 parent ${target}`);
  }
  // Nobody speaks TLS there.
  if (isHttps || host === "name.test") return /^50[24] /;
  const path = target.replace(/^http:\/\/[^/?]*/, "");
  return exactly(`200 origin ${host === "127.0.0.1" ? svc : ""} ${path.startsWith("/") ? path : `/${path}`}`);
}

function exactly(text: string): RegExp {
  return new RegExp(`^${text.replace(/[.?[\]]/g, "\\$&")}$`);
}

class Walk {
  readonly random: Random;
  readonly trace: string[] = [];
  readonly lab: PlaneLab;
  world: World;
  readonly clients = new Map<string, Peer>();
  readonly seen = new Map<string, number>();

  constructor(lab: PlaneLab, random: Random, world: World) {
    this.lab = lab;
    this.random = random;
    this.world = world;
  }

  async change(): Promise<void> {
    const { random, world } = this;
    const pick = (): Partial<World> => {
      switch (random.next(5)) {
        case 0: {
          const users = random.pick([null, ["alice"], ["bob"], ["alice", "bob"]]);
          return users === null ? { users, ruleUser: "" } : { users };
        }
        case 1:
          return { denied: random.pick([[], [], ["127.0.0.1"], ["127.0.0.2"], ["name.test"]]) };
        case 2:
          return {
            rule: random.pick(["none", "deny", "parents"] as const),
            ruleUser: world.users === null ? "" : random.pick(["", ...USERS]),
          };
        case 3:
          return { svc: random.pick(["", "svc", "svd"]) };
        default:
          return { https: !world.https };
      }
    };
    this.world = { ...world, ...pick() };
    this.trace.push(JSON.stringify(this.world));
    this.lab.system.files.set("/users", usersFile(this.world.users ?? []));
    this.lab.yaml = yamlOf(this.world);
    const outcome = await this.lab.done(this.lab.plane.reload());
    assert.ok(outcome.ok, JSON.stringify(outcome));
  }

  async ask(user: string, target: string): Promise<void> {
    const { lab, clients } = this;
    const name = `${user} ${this.random.next(2)}`;
    let client = clients.get(name);
    if (client === undefined || client.end !== "") clients.set(name, client = lab.dial());
    client.received = "";
    const login = user === "" ? "" : `Proxy-Authorization: Basic ${btoa(`${user}:wonder`)}\r\n`;
    client.say(`GET ${target} HTTP/1.1\r\nHost: x\r\n${login}\r\n`);
    await lab.until("an answer", () => /\r\n\r\n/.test(client.received) || client.end !== "");
    const answer = answerOf(client);
    this.trace.push(`${user} ${target}: ${answer}`);
    assert.match(answer, expected(this.world, user, target), this.trace.join("\n"));
    const status = answer.slice(0, 3);
    this.seen.set(status, (this.seen.get(status) ?? 0) + 1);
  }
}

function usersFile(users: readonly string[]): string {
  return users.map((user) => `${user}:${HASH}\n`).join("");
}

/** @param says what a request is answered with */
function answering(says: (target: string, head: string) => string): (peer: Peer, head: string) => void {
  return (peer, head) => {
    const text = says(head.split(" ")[1] ?? "", head);
    peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`);
  };
}

test("equal requests before and after reloads: each is what the configuration of its moment makes of it", async () => {
  const seen = new Map<string, number>();
  for (const seed of walkSeeds(SEEDS)) {
    const world: World = { users: null, denied: [], rule: "none", ruleUser: "", svc: "", https: false };
    const files = { "/users": usersFile([]), "/secret": "secret\n" };
    const lab = await PlaneLab.start(yamlOf(world), {}, files);
    for (const host of ["127.0.0.1", "127.0.0.2"]) {
      const origin = await lab.backend(ORIGIN, host);
      origin.script = answering((target, head) => {
        const login = /\r\nAuthorization: Basic (\S+)/i.exec(head)?.[1] ?? "";
        return `origin ${atob(login).split(":")[0]} ${target}`;
      });
    }
    (await lab.backend(PARENT)).script = answering((target) => `parent ${target}`);
    const walk = new Walk(lab, new Random(seed), world);
    const { random, trace } = walk;
    trace.push(`seed ${seed}`);
    for (let step = 0; step < STEPS; step++) {
      if (step > 0) await walk.change();
      // Often the same, so that it is remembered.
      let target = random.pick(TARGETS);
      const user = random.pick(["", ...USERS]);
      for (let count = random.between(2, 8); count > 0; count--) {
        if (random.once(3)) target = random.pick(TARGETS);
        await walk.ask(user, target);
      }
    }
    for (const [status, count] of walk.seen) seen.set(status, (seen.get(status) ?? 0) + count);
    await lab.stop();
  }
  for (const status of ["200", "400", "403", "407", "501"]) {
    assert.ok((seen.get(status) ?? 0) > 0, `${status}: ${JSON.stringify([...seen])}`);
  }
});
