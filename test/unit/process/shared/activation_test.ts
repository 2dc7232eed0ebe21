import assert from "node:assert/strict";
import { test } from "node:test";
import type { ActivatedSocket, Address, Runtime } from "../../../../runtime/contract/contract.ts";
import { activated } from "../../../../src/process/shared/activation.ts";
import { loadConfig } from "../../../../src/config/load_config.ts";
import { MemorySystem } from "../../../support/memory_system.ts";

const tcp = (host: string, port: number): Address => ({ kind: "tcp", host, port });
const unix = (path: string): Address => ({ kind: "unix", path });

/** @returns what each socket is for, or what is wrong */
function assigned(
  flags: Record<string, string[]>,
  sockets: readonly Omit<ActivatedSocket, "descriptor">[],
  handover = true,
) {
  const loaded = loadConfig({ flags: { to: ["3000"], ...flags }, env: {}, file: null });
  assert.ok(loaded.ok);
  const system = new MemorySystem();
  system.activated = sockets.map((socket, at) => ({ ...socket, descriptor: 3 + at }));
  // The cast: nothing else of it is used.
  const runtime = { name: "bun", capabilities: { handover } } as unknown as Runtime;
  const given = activated(runtime, system, loaded.config);
  return typeof given === "string" ? given : given.map(({ asked, descriptor, lent }) => {
    assert.equal(lent, true);
    return [descriptor, asked];
  });
}

test("by address", () => {
  const listen = ["127.0.0.1:80", "[::1]:81", "unix:/run/s"];
  assert.deepEqual(
    assigned({ listen }, [
      { name: "x", address: unix("/run/s") },
      { name: "", address: tcp("::1", 81) },
      { name: "unknown", address: tcp("127.0.0.1", 80) },
    ]),
    [[3, unix("/run/s")], [4, tcp("::1", 81)], [5, tcp("127.0.0.1", 80)]],
  );
});

test("a port alone is :: for systemd and 0.0.0.0 for us", () => {
  assert.deepEqual(assigned({ listen: [":80"] }, [{ name: "", address: tcp("::", 80) }]), [[
    3,
    tcp("0.0.0.0", 80),
  ]]);
});

test("by name: a port, a path, the admin listener", () => {
  const flags = { listen: [":8080", ":8081"], admin: ["9180"] };
  assert.deepEqual(
    assigned(flags, [
      { name: "8081", address: tcp("::", 443) },
      { name: "8080", address: tcp("::", 80) },
      { name: "admin", address: unix("/run/admin") },
    ]),
    [[3, tcp("0.0.0.0", 8081)], [4, tcp("0.0.0.0", 8080)], [5, tcp("127.0.0.1", 9180)]],
  );
});

test("what is for none of our listeners is told, not dropped", () => {
  const stray = assigned({ listen: [":8080"] }, [{ name: "web", address: tcp("::", 80) }]);
  assert.match(
    String(stray),
    /^descriptor 3 \(web\) of LISTEN_FDS, on \[::\]:80, is for none of our listeners/,
  );
  const none = assigned({ listen: [":8080"] }, [{ name: "", address: null }]);
  assert.match(String(none), /^descriptor 3 of LISTEN_FDS, is no socket that listens/);
  const admin = assigned({ listen: [":8080"] }, [{ name: "admin", address: tcp("::", 8080) }]);
  assert.match(String(admin), /is for none of our listeners/);
});

test("where sockets cannot be given to a process that is an error", () => {
  const refused = assigned({ listen: [":80"] }, [{ name: "", address: tcp("::", 80) }], false);
  assert.match(
    String(refused),
    /^socket activation \(LISTEN_FDS\): bun cannot listen on a socket that it is given/,
  );
});

test("without any nothing happens", () => assert.deepEqual(assigned({}, [], false), []));
