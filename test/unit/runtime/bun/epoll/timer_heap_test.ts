/** The heap of timers against a sorted list. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HeapTimer, TimerHeap } from "../../../../../runtime/bun/epoll/timer_heap.ts";
import { Random } from "../../../../contract/pattern.ts";

class Probe extends HeapTimer {
  readonly #act: (probe: Probe) => void;

  constructor(due: number, act: (probe: Probe) => void) {
    super(due);
    this.#act = act;
  }

  fire(): void {
    this.#act(this);
  }
}

function sorted(timers: Iterable<HeapTimer>): HeapTimer[] {
  return [...timers].sort((one, other) => one.due - other.due || one.number - other.number);
}

test("random operations agree with a sorted list", () => {
  const random = new Random(71);
  for (let round = 0; round < 20; round++) {
    const heap = new TimerHeap();
    const model = new Set<Probe>();
    let fired: HeapTimer[] = [];
    for (let now = 0; now < 2_000; now++) {
      const kind = random.below(10);
      if (kind < 5) {
        // Few different times, so that many are equal.
        const timer = new Probe(now + random.below(50), (probe) => fired.push(probe));
        heap.add(timer);
        model.add(timer);
      } else if (kind < 8) {
        const timers = [...model];
        const timer = timers[random.below(Math.max(1, timers.length))];
        if (timer !== undefined) {
          heap.remove(timer);
          heap.remove(timer);
          model.delete(timer);
        }
      } else {
        const due = sorted(model).filter((timer) => timer.due <= now);
        fired = [];
        heap.fire(now);
        assert.deepEqual(fired, due);
        for (const timer of due) model.delete(timer as Probe);
      }
      assert.equal(heap.next, sorted(model)[0]?.due ?? Infinity);
    }
  }
});

test("a timer that another one cancels while it fires does not fire, though it was due", () => {
  const heap = new TimerHeap();
  const fired: string[] = [];
  const last = new Probe(2, () => fired.push("last"));
  const second = new Probe(1, () => fired.push("second"));
  const first = new Probe(0, (probe) => {
    fired.push("first");
    heap.remove(second);
    heap.remove(probe);
  });
  for (const timer of [last, second, first]) heap.add(timer);
  heap.fire(10);
  assert.deepEqual(fired, ["first", "last"]);
  assert.equal(heap.next, Infinity);
});

test("what is set while timers fire waits for the next time, and the others that are due fire", () => {
  const heap = new TimerHeap();
  const fired: string[] = [];
  const set = (due: number, name: string, then: () => void = () => {}) =>
    heap.add(
      new Probe(due, () => {
        fired.push(name);
        then();
      }),
    );
  set(5, "a", () => {
    set(10, "set now");
    set(12, "set for later");
  });
  set(6, "b");
  set(10, "c");
  set(11, "not due");
  heap.fire(10);
  assert.deepEqual(fired, ["a", "b", "c"]);
  assert.equal(heap.next, 10);
  fired.length = 0;
  heap.fire(10);
  assert.deepEqual(fired, ["set now"]);
  assert.equal(heap.next, 11);
});

test("a timer that sets itself anew fires once each time", () => {
  const heap = new TimerHeap();
  let count = 0;
  const again = () => {
    count++;
    heap.add(new Probe(0, again));
  };
  heap.add(new Probe(0, again));
  for (let turn = 1; turn <= 5; turn++) {
    heap.fire(100);
    assert.equal(count, turn);
  }
});

test("a timer that throws leaves the others in the heap", () => {
  const heap = new TimerHeap();
  let fired = 0;
  heap.add(
    new Probe(0, () => {
      throw new Error("thrown by a test");
    }),
  );
  heap.add(new Probe(1, () => fired++));
  assert.throws(() => heap.fire(1), /thrown by a test/);
  heap.fire(1);
  assert.equal(fired, 1);
  assert.equal(heap.next, Infinity);
});
