/**
 * Timers and `console` of scripts where their files are modules of the platform: the global functions find out who calls them by
 * the caller's place, which carries its generation.
 */
import { overGeneration, REPLACED, ScriptGeneration } from "./script_generation.ts";

let replaced = false;

/** To be called before the first script is loaded; what others call goes to the platform as before. */
export function replaceGlobals(): void {
  if (replaced) return;
  replaced = true;
  for (const name of REPLACED) {
    if (name === "console") continue;
    const original = globalThis[name] as (...args: unknown[]) => unknown;
    const own = (...args: unknown[]): unknown => {
      const generation = caller();
      return generation === null
        ? original(...args)
        : (generation[name] as (...given: unknown[]) => unknown)(...args);
    };
    Object.defineProperties(own, Object.getOwnPropertyDescriptors(original));
    Reflect.set(globalThis, name, own);
  }
  const { console } = globalThis;
  Reflect.set(
    globalThis,
    "console",
    new Proxy(console, {
      get: (target, key): unknown => Reflect.get(caller()?.console ?? target, key),
    }),
  );
}

const MARK = /\?sluice=(\d+)/;

/** The script that has called what calls this; null = none. */
function caller(): ScriptGeneration | null {
  // Message, this function, its caller, and the caller of that one.
  const frame = (new Error().stack ?? "").split("\n")[3] ?? "";
  const match = MARK.exec(frame);
  return match === null ? null : ScriptGeneration.of(Number(match[1])) ?? overGeneration();
}
