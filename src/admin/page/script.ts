/**
 * What the browser runs: gets the page anew every two seconds and changes what differs, so that nothing but
 * the server says how anything looks. Its bytes are named in the page's Content-Security-Policy.
 */

import { SAMPLE_MS } from "../history.ts";

export const PAGE_SCRIPT = `
"use strict";
(() => {
  const live = document.getElementById("live");
  const form = document.getElementById("actions");
  let timer = 0;

  // Makes one tree like another, leaving alone what is alike: focus and selection stay where they are.
  const morph = (old, next) => {
    if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName) return void old.replaceWith(next);
    if (old.nodeType !== 1) {
      if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
      return;
    }
    for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of [...next.attributes]) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const before = [...old.childNodes];
    const after = [...next.childNodes];
    after.forEach((node, at) => before[at] ? morph(before[at], node) : old.appendChild(node));
    before.slice(after.length).forEach((node) => node.remove());
  };

  const say = (state, text) => {
    live.dataset.state = state;
    if (live.textContent !== text) live.textContent = text;
  };

  const refresh = async () => {
    clearTimeout(timer);
    try {
      const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      morph(document.querySelector("main"), page.querySelector("main"));
      document.title = page.title;
      say("live", "Live");
    } catch {
      if (live.dataset.state !== "lost") {
        say("lost", "No answer since " + new Date().toLocaleTimeString() + "; asking again");
      }
    }
    if (!document.hidden) timer = setTimeout(refresh, ${SAMPLE_MS});
  };
  document.addEventListener("visibilitychange", () => document.hidden ? clearTimeout(timer) : refresh());
  say("live", "Live");
  timer = setTimeout(refresh, ${SAMPLE_MS});

  // Buttons keep the page, and the token in its field.
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const result = document.getElementById("result");
    try {
      const answer = await fetch("/actions", {
        method: "POST",
        headers: { "Accept": "application/json", "Authorization": "Bearer " + form.elements.token.value },
        body: new URLSearchParams({ action: event.submitter?.value ?? "" }),
      });
      const { message } = await answer.json();
      result.dataset.ok = answer.ok ? "yes" : "no";
      result.textContent = message;
    } catch {
      result.dataset.ok = "no";
      result.textContent = "There was no answer.";
    }
    refresh();
  });
})();
`;
