import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../../../../src/admin/history.ts";
import { escapeHtml, markup } from "../../../../src/admin/page/html.ts";
import { renderPage } from "../../../../src/admin/page/page.ts";
import { scaleOf } from "../../../../src/admin/page/pictures.ts";
import type { Status } from "../../../../src/process/worker/status.ts";
import { REASONS } from "../../../../src/exchange/reason.ts";
import {
  endpointStatus,
  forwardStatus,
  recentFailure,
  sampleStatus,
  upstreamStatus,
} from "../../../support/sample_status.ts";

const NOW = Date.parse("2026-01-02T03:05:05.000Z");

function pageOf(status: Status, actions = false): string {
  return renderPage({ status, history: new History(), nowMs: NOW, actions });
}

/** The page's text without its markup, script and style. */
function textOf(page: string): string {
  return page.replace(/<(script|style)>.*?<\/\1>/gs, "").replace(/<[^>]*>/g, "").replace(/\s+/g, " ");
}

test("markup: values are escaped, markup is not, nothing is nothing", () => {
  const inner = markup`<b>${"<&>\"'"}</b>`;
  assert.equal(
    markup`<a title="${'"'}">${inner}${null}${false}${0}${["x", inner]}</a>`.text,
    '<a title="&quot;"><b>&lt;&amp;&gt;&quot;&#39;</b>0x<b>&lt;&amp;&gt;&quot;&#39;</b></a>',
  );
  assert.equal(escapeHtml("a\x00b\u202ec\x9b"), "a\\u{0}b\\u{202e}c\\u{9b}");
});

test("page: whatever a name or a peer's text holds, it is text", () => {
  const evil = `"><script>alert(1)</script><img src=x onerror='x'>`;
  const page = pageOf(
    sampleStatus({
      version: evil,
      runtime: evil,
      listeners: [evil],
      upstreams: [
        upstreamStatus(evil, {
          state: "paused",
          paused: {
            since: evil,
            lease_until: evil,
            owners: [{ owner: "operator", since: evil, lease_until: evil }],
          },
          endpoints: [
            endpointStatus(evil, {
              since: evil,
              last_error: { code: evil, detail: evil, at: evil },
            }),
          ],
          child: {
            command: [evil],
            state: "waiting",
            pid: null,
            since: evil,
            restarts: 1,
            last_exit: evil,
            next_start: evil,
          },
        }),
      ],
      routes: [{ name: evil, upstream: evil, totals: sampleStatus().totals }],
      recent_failures: [
        recentFailure({
          at: evil,
          method: evil,
          target: evil,
          upstream: evil,
          endpoint: evil,
          detail: evil,
        }),
      ],
    }),
    true,
  );
  assert.equal([...page.matchAll(/<script/g)].length, 1);
  assert.equal([...page.matchAll(/<img/g)].length, 0);
  for (const [tag] of page.replace(/<(script|style)>.*?<\/\1>/gs, "").matchAll(/<[^>]*>/g)) {
    assert.doesNotMatch(tag.replace(/"[^"]*"/g, '""'), /alert|\son/, tag);
  }
});

test("page: tags are closed in order, ids are unique, and nothing comes from elsewhere", () => {
  const page = pageOf(
    sampleStatus({ upstreams: [upstreamStatus("a", { waiting: 3, waits_ms: [3, 2, 1], in_flight: 2 })] }),
    true,
  );
  const open: string[] = [];
  const body = page.replace(/<(script|style)>.*?<\/\1>/gs, "").replace("<!DOCTYPE html>", "");
  for (const [, slash, name = "", self] of body.matchAll(/<(\/?)([a-z0-9]+)[^>]*?(\/?)>/g)) {
    if (/^(meta|link|input)$/.test(name) || self === "/") continue;
    if (slash === "") open.push(name);
    else assert.equal(open.pop(), name);
  }
  assert.deepEqual(open, []);
  const ids = [...body.matchAll(/ id="([^"]*)"/g)].map((match) => match[1]);
  assert.equal(new Set(ids).size, ids.length);
  assert.doesNotMatch(body, /(?:src|href|action)="(?!\/|data:)/);
  assert.doesNotMatch(page, /@import|url\(/);
  assert.doesNotMatch(body, / style=/, "the policy allows no styles on elements");
});

test("page: the sentence at the top says what is wrong", () => {
  const cases: [Partial<Status>, RegExp][] = [
    [{}, /All is well, and nobody waits\./],
    [
      { upstreams: [upstreamStatus("app", { state: "down", waiting: 2, oldest_wait_ms: 1400 })] },
      /app is down: 2 requests wait, the oldest for 1\.4 s\./,
    ],
    [
      {
        upstreams: [
          upstreamStatus("a", {
            state: "paused",
            paused: { since: "x", lease_until: null, owners: [] },
            waiting: 1,
          }),
          upstreamStatus("b", { state: "down" }),
        ],
      },
      /a is paused: 1 request waits, the oldest for 0 ms\. 1 other upstream is down or paused\./,
    ],
    [
      {
        upstreams: [
          upstreamStatus("a", { endpoints: [endpointStatus("x"), endpointStatus("y", { state: "down" })] }),
        ],
      },
      /1 endpoint is down; others of the upstream serve\./,
    ],
    [{ state: "starting" }, /Sluice is starting\./],
    [{ state: "stopping", connections: 1 }, /Sluice is stopping: 1 connection left\./],
  ];
  for (const [more, sentence] of cases) assert.match(textOf(pageOf(sampleStatus(more))), sentence);
});

test("page: the forward proxy has a section where there is one", () => {
  const text = textOf(pageOf(sampleStatus({ forward: forwardStatus() })));
  assert.match(text, /Forward proxy Listening onforward:\/\/127\.0\.0\.1:3128 Tunnels3 of 768 /);
  assert.match(text, /Destinations5, 7 idle connections .* Wrong credentials2 4 http_request_denied/);
  assert.doesNotMatch(pageOf(sampleStatus()), /[Ff]orward proxy/);
});

test("page: a failure is told in words, with its code", () => {
  const text = textOf(pageOf(sampleStatus({ recent_failures: [recentFailure({ target: "/a?b=c" })] })));
  assert.ok(text.includes(REASONS.hold_timeout.sentence));
  assert.match(text, /5 s ago .* answered 503 GET \/a\?b=c to app: hold_timeout, 127\.0\.0\.1:3000/);
});

test("page: buttons only where actions are allowed; without them it reloads where there is no script", () => {
  const page = pageOf(sampleStatus());
  assert.doesNotMatch(page, /<button|<form|<input/);
  assert.match(page, /<noscript><meta http-equiv="refresh"/);
  const acting = pageOf(sampleStatus(), true);
  assert.match(acting, /<button form="actions" name="action" value="do=pause&amp;upstream=app"/);
  assert.match(acting, /value="do=drain&amp;upstream=app&amp;endpoint=127\.0\.0\.1%3A3000"/);
  assert.doesNotMatch(acting, /http-equiv="refresh"/, "it would empty the field of the token");
});

test("page: very many upstreams and routes", () => {
  const upstreams = Array.from({ length: 300 }, (_, at) => upstreamStatus(`u${at}`));
  const routes = Array.from({ length: 5000 }, (_, at) => ({
    name: `/${at}`,
    upstream: "u0",
    totals: sampleStatus().totals,
  }));
  const text = textOf(pageOf(sampleStatus({ upstreams, routes })));
  assert.match(text, /200 more upstreams in the JSON/);
  assert.match(text, /4800 more routes in the JSON/);
});

test("picture of the waiting room: a round scale above the longest wait", () => {
  for (
    const [wait, scale] of [[0, 100], [100, 100], [101, 200], [450, 500], [7400, 10_000], [61_000, 100_000]]
  ) {
    assert.equal(scaleOf(wait ?? 0), scale);
  }
});
