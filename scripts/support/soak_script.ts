/** A script that stands in front of all requests of a soak: it decides at random, at once or later, and loses none. */

/** @param generation so that each reload brings another one */
export function soakScript(generation: number): string {
  return `// ${generation}
import { next, pass } from "sluice";
const changed = next({ headers: { "X-Soak": "${generation}" } });
const passed = pass({ headers: { "X-Soak": "${generation}" } });
const later = (value, most) => new Promise((done) => setTimeout(() => done(value), Math.random() * most));
const one = (value, most) => Math.random() < 0.5 ? value : later(value, most);
export const onRequest = ({ method }) => one(method === "POST" || Math.random() < 0.5 ? changed : undefined, 20);
export const onResponse = () => one(passed, 10);
export const onError = () => one(undefined, 10);
export const onLog = () => {};
`;
}
