/**
 * What a process tells of itself, as far as Deno lets us know without asking the user. A library can do without all of it, and
 * must not stop a program at a prompt.
 */

import type { System } from "../contract/contract.ts";
import type { DenoPermissions } from "./types.ts";

declare const Deno: { readonly permissions: DenoPermissions };

type Permission = Parameters<DenoPermissions["querySync"]>[0];

function isGranted(permission: Permission): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

/** @param system a plain object, and ours: it is changed */
export function unasked(system: System): System {
  const { descriptorLimit, interfaceAddresses, nameFiles } = Object.getOwnPropertyDescriptors(system);
  return Object.defineProperties(system, {
    descriptorLimit: {
      get: () => isGranted({ name: "read", path: "/proc/self/limits" }) ? descriptorLimit.get?.() : Infinity,
    },
    interfaceAddresses: {
      value: () =>
        isGranted({ name: "sys", kind: "networkInterfaces" }) ? interfaceAddresses.value?.() ?? [] : [],
    },
    // Without them the platform alone looks names up.
    nameFiles: {
      get: () => {
        const files = nameFiles.value ?? null;
        const granted = files !== null &&
          Object.values(files).every((path) => isGranted({ name: "read", path }));
        return granted ? files : null;
      },
    },
  });
}
