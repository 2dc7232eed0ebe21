/**
 * An origin that is killed as kill -9 does it on Linux, in slow motion: its connections end, its listening socket goes on
 * taking new ones, what has queued there is reset, and only then are dials refused, until it is started again. One kill costs a
 * request one try, whatever it was sent on; also when Sluice is upgraded meanwhile.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TestProxy } from "../support/proxy.ts";
import { RawClient } from "../support/raw_client.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { variants } from "../support/succession_load.ts";
import { get } from "../support/succession_scene.ts";
import { within } from "../support/watchdog.ts";

/** A process reads it and is killed: so often. */
const DOOMED = "/doomed";

class KilledOrigin {
  readonly origin: ScriptedOrigin;
  /** How often a process that was alive has read the doomed request. */
  read = 0;
  /** How often it was reset unread. */
  buried = 0;
  readonly #kills: number;
  #dying = false;
  /** Told of each kill when no connection is left, and dials are refused. */
  onKilled: (nth: number) => Promise<void> = () => Promise.resolve();

  /** @param kills before the doomed request is answered */
  constructor(origin: ScriptedOrigin, kills: number) {
    this.origin = origin;
    this.#kills = kills;
    origin.auto(async ({ target }, peer) => {
      if (this.#dying) {
        // In the queue of a socket whose process is dead: its turn has come.
        this.buried++;
        await this.#bury();
        return null;
      }
      if (target !== DOOMED || this.read++ === this.#kills) return target;
      this.#dying = true;
      for (const each of origin.peers) if (each !== peer) each.destroy();
      peer.reset();
      // Where nothing queues the listening socket ends as well, sooner or later.
      if (this.read > 1) await this.#bury();
      return null;
    });
  }

  async #bury(): Promise<void> {
    const { origin } = this;
    await origin.stopListening();
    for (const peer of origin.peers) peer.reset();
    await this.onKilled(this.read);
    await origin.listenAgain();
    this.#dying = false;
  }
}

for (const pooled of [true, false]) {
  for (const kills of [1, 2, 3]) {
    const what = `${kills} kills, sent on ${pooled ? "a pooled connection" : "a new one"} first`;
    test(`a GET that meets fewer than three kills is answered: ${what}`, async () => {
      const origin = await ScriptedOrigin.listen();
      const killed = new KilledOrigin(origin, kills);
      const proxy = await TestProxy.start(`to: ${origin.address}`);
      const client = await RawClient.connect(proxy.port);
      try {
        if (pooled) assert.equal((await client.ask(get("/warm"))).text, "/warm");
        const answer = await client.ask(get(DOOMED));
        assert.equal(killed.buried, 1, "the first kill has met it twice");
        if (kills < 3) assert.deepEqual([answer.status, answer.text], [200, DOOMED]);
        else {
          assert.equal(answer.status, 502);
          assert.match(answer.field("Proxy-Status") ?? "", /"sent 4 times without an answer/);
        }
        await proxy.until("the next process", () => origin.listening);
        const later = await RawClient.connect(proxy.port);
        assert.equal((await later.ask(get("/later"))).text, "/later");
        later.destroy();
        assert.deepEqual(origin.autoErrors, []);
        assert.equal(proxy.upstream().waiting, 0);
        assert.equal(proxy.upstream().inFlight, 0);
      } finally {
        client.destroy();
        await proxy.stop();
        await origin.close();
      }
    });
  }
}

variants(
  "a request that meets two kills, and an upgrade between them",
  [],
  async ({ origin, sluice, upgrade }) => {
    const killed = new KilledOrigin(origin, 2);
    killed.onKilled = async (nth) => {
      if (nth === 1) await upgrade();
    };
    const client = await RawClient.connect(sluice.port);
    assert.equal((await client.ask(get("/warm"))).text, "/warm");
    const { status, text } = await within(client.ask(get(DOOMED)), "an answer");
    client.destroy();
    assert.deepEqual([killed.buried, killed.read], [1, 3]);
    assert.deepEqual([status, text], [200, DOOMED]);
  },
);
