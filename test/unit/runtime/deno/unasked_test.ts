/** What a library asks of Deno only where it has been granted: elsewhere the user would be asked. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { unasked } from "../../../../runtime/deno/unasked.ts";
import type { System } from "../../../../runtime/contract/contract.ts";

/** A plain object, as `createSystem` makes one, that tells of each question. */
function telling(asked: string[]): System {
  const told = <T>(name: string, value: T): T => {
    asked.push(name);
    return value;
  };
  // The cast: nothing else of it is used.
  return {
    get descriptorLimit() {
      return told("descriptorLimit", 100);
    },
    interfaceAddresses: () => told("interfaceAddresses", ["192.0.2.1"]),
    nameFiles: { hosts: "/hosts", servers: "/servers", order: "/order" },
    pid: 5,
  } as Partial<System> as System;
}

/** Runs `act` where Deno says so to each question for a permission. */
function withDeno(granted: (name: string) => boolean, act: () => void): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, "Deno");
  const querySync = ({ name, path = name }: { readonly name: string; readonly path?: string }) => ({
    state: granted(path) ? "granted" : "prompt",
  });
  Object.defineProperty(globalThis, "Deno", { value: { permissions: { querySync } }, configurable: true });
  try {
    act();
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, "Deno");
    else Object.defineProperty(globalThis, "Deno", before);
  }
}

test("unasked: without permissions nothing is asked, and what is not known is said to be", () => {
  const asked: string[] = [];
  const system = unasked(telling(asked));
  withDeno(() => false, () => {
    assert.equal(system.descriptorLimit, Infinity);
    assert.deepEqual(system.interfaceAddresses(), []);
    assert.equal(system.nameFiles, null);
  });
  assert.deepEqual(asked, []);
  assert.equal(system.pid, 5);
});

test("unasked: with permissions it is as ever, and files of names are all or none", () => {
  const asked: string[] = [];
  const system = unasked(telling(asked));
  withDeno(() => true, () => {
    assert.equal(system.descriptorLimit, 100);
    assert.deepEqual(system.interfaceAddresses(), ["192.0.2.1"]);
    assert.equal(system.nameFiles?.hosts, "/hosts");
  });
  withDeno((name) => name !== "/servers", () => assert.equal(system.nameFiles, null));
  assert.deepEqual(asked, ["descriptorLimit", "interfaceAddresses"]);
});
