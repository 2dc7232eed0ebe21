/**
 * Slots of `max_in_flight` for requests that must go on one connection, since their client has logged in there: no slot of
 * another endpoint helps them. Several workers share the slots.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SlotLab, type SlotPin, type SlotWorker } from "../../../support/slot_lab.ts";

/** Two workers and two endpoints that serve one request at a time. */
async function labOfTwo(): Promise<readonly [SlotLab, SlotWorker, SlotWorker]> {
  const lab = new SlotLab({ workers: 2, max: 1, endpoints: 2 });
  for (const port of lab.ports) await lab.up(port);
  const [one, other] = lab.workers;
  assert.ok(one !== undefined && other !== undefined);
  return [lab, one, other];
}

/** Clients of `worker` log in, one at each endpoint. @returns their connections, by the names of the endpoints */
function login(lab: SlotLab, worker: SlotWorker): ReadonlyMap<string, SlotPin> {
  const requests = lab.ports.map((port) => worker.arrive(`login ${port}`));
  lab.settle();
  assert.deepEqual(requests.map(({ state }) => state), ["served", "served"]);
  const pins = requests.map((request) => request.login());
  lab.settle();
  return new Map(pins.map((pin) => [pin.endpoint.name, pin]));
}

function pinAt(pins: ReadonlyMap<string, SlotPin>, endpoint: string): SlotPin {
  const pin = pins.get(endpoint);
  assert.ok(pin !== undefined);
  return pin;
}

/** The endpoint whose only slot `worker` has. */
function slotOf(worker: SlotWorker): string {
  const held = worker.upstream.endpoints.filter(({ slotLimit }) => slotLimit === 1);
  assert.equal(held.length, 1);
  return held[0]?.name ?? "";
}

/** Each worker gets one slot. */
function divide(lab: SlotLab, one: SlotWorker, other: SlotWorker): void {
  const requests = [one.arrive("one"), other.arrive("other")];
  lab.settle();
  for (const request of requests) request.answered(false);
  lab.settle();
}

test("requests that each need the slot of the other's worker get it, whoever came first", async () => {
  for (const ms of [0, 5, 1000]) {
    const [lab, one, other] = await labOfTwo();
    const [pins, others] = [login(lab, one), login(lab, other)];
    divide(lab, one, other);
    const mine = one.arrive("mine", pinAt(pins, slotOf(other)));
    lab.advance(ms);
    const theirs = other.arrive("theirs", pinAt(others, slotOf(one)));
    lab.settle();
    assert.deepEqual([mine.state, theirs.state], ["served", "served"], `${ms} ms apart`);
  }
});

test("who waits for a slot of one endpoint keeps no slot of another", async () => {
  const [lab, one, other] = await labOfTwo();
  const pins = login(lab, other);
  divide(lab, one, other);
  const wanted = slotOf(one);
  const long = one.arrive("long");
  lab.settle();
  const mine = other.arrive("mine", pinAt(pins, wanted));
  lab.settle();
  lab.advance(1000);
  const next = one.arrive("next");
  lab.settle();
  assert.deepEqual([long.state, mine.state, next.state], ["served", "waiting", "served"]);
  long.answered(true);
  lab.settle();
  assert.equal(mine.state, "served");
});

test("on an endpoint that is drained clients that have logged in finish what they have begun", async () => {
  const [lab, one, other] = await labOfTwo();
  const pins = login(lab, other);
  divide(lab, one, other);
  const drained = slotOf(one);
  for (const worker of [one, other]) worker.upstream.withdraw(worker.endpoint(drained));
  const mine = other.arrive("mine", pinAt(pins, drained));
  const next = one.arrive("next");
  lab.settle();
  assert.deepEqual([mine.state, next.state], ["served", "served"]);
  mine.answered(false);
  next.answered(true);
  lab.settle();
  lab.check();
});

test("the same on one that a swap has taken away, and its slot comes back", async () => {
  const [lab, one, other] = await labOfTwo();
  const pins = login(lab, other);
  divide(lab, one, other);
  const dropped = slotOf(one);
  lab.use(lab.ports.filter((port) => `e${port}` !== dropped));
  lab.settle();
  const mine = other.arrive("mine", pinAt(pins, dropped));
  lab.settle();
  assert.equal(mine.state, "served");
  mine.answered(false);
  lab.settle();
  lab.use(lab.ports);
  lab.settle();
  const next = [one.arrive("first"), one.arrive("second")];
  lab.settle();
  assert.deepEqual(next.map(({ state }) => state), ["served", "served"]);
  lab.check();
});

test("an endpoint that comes back serves no more at a time than it may, those who have logged in included", async () => {
  const [lab, one, other] = await labOfTwo();
  const pins = login(lab, other);
  const [first = 0, second = 0] = lab.ports;
  lab.use([second]);
  lab.settle();
  lab.use([first, second]);
  lab.settle();
  const requests = [
    other.arrive("mine", pinAt(pins, `e${first}`)),
    ...[1, 2, 3].flatMap((at) => [one.arrive(`one ${at}`), other.arrive(`other ${at}`)]),
  ];
  lab.settle();
  assert.equal(requests.filter(({ state }) => state === "served").length, 2);
  for (let left = requests.length; left > 0; left--) {
    requests.find(({ state }) => state === "served")?.answered(false);
    lab.settle();
    lab.check();
  }
  assert.ok(requests.every(({ state }) => state === "done"));
});
