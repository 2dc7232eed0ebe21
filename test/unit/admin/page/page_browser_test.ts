/**
 * The status page in a real browser: that its policy lets it work, that it stays up to date, that buttons act,
 * that nothing sticks out of a narrow screen. Needs Debian's chromium, or another one named by CHROMIUM.
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { AdminListener } from "../../../../src/admin/admin_listener.ts";
import type { Status } from "../../../../src/process/worker/status.ts";
import { adapterFactory } from "../../../support/adapter.ts";
import { FakePlane } from "../../../support/fake_plane.ts";
import { recentFailure, sampleStatus, upstreamStatus } from "../../../support/sample_status.ts";

const executablePath = [process.env.CHROMIUM ?? "", "/usr/bin/chromium"].find((path) =>
  path !== "" && existsSync(path)
);
const onDeno = "Deno" in globalThis;
const options = {
  skip: executablePath === undefined
    ? "capability chromium: /usr/bin/chromium is not there"
    : onDeno
    ? "capability chromium: playwright-core drives it from Node and Bun only"
    : false,
  timeout: 60_000,
};
const TOKEN = "0123456789abcdef";

class Plane extends FakePlane {
  now: Partial<Status> = {};

  override status(): Promise<Status> {
    return Promise.resolve(sampleStatus(this.now));
  }
}

async function withPage(
  token: string | null,
  context: BrowserContextOptions,
  use: (page: Page, plane: Plane) => Promise<void>,
): Promise<void> {
  const runtime = (await adapterFactory())({ onHandlerError: (error) => problems.push(String(error)) });
  const problems: string[] = [];
  const plane = new Plane();
  const admin = await AdminListener.start(runtime, {
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    token,
    plane,
    onError: (error) => problems.push(String(error)),
  });
  const port = admin.address.kind === "tcp" ? admin.address.port : 0;
  let browser: Browser | null = null;
  try {
    browser = await chromium.launch({ executablePath: executablePath ?? "", args: ["--no-sandbox"] });
    const page = await (await browser.newContext(context)).newPage();
    page.on("console", (message) => {
      // The browser says so of the answer to a wrong token, too.
      if (message.type() === "error" && !/status of 401/.test(message.text())) problems.push(message.text());
    });
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("request", (request) => {
      if (!/^(?:http:\/\/127\.0\.0\.1:|data:)/.test(request.url())) problems.push(request.url());
    });
    await page.goto(`http://127.0.0.1:${port}/`);
    await use(page, plane);
  } finally {
    await browser?.close();
    await admin.close(0);
  }
  assert.deepEqual(problems, []);
}

test(
  "status page in a browser: it stays up to date, and what a peer sent stays text",
  options,
  () =>
    withPage(null, {}, async (page, plane) => {
      await page.getByText("All is well, and nobody waits.").waitFor();
      plane.now = {
        upstreams: [
          upstreamStatus("app", {
            state: "down",
            waiting: 3,
            oldest_wait_ms: 900,
            waits_ms: [900, 500, 100],
          }),
        ],
        recent_failures: [recentFailure({ target: "/<img src=x onerror=alert(1)>" })],
      };
      await page.getByText("app is down: 3 requests wait, the oldest for 900 ms.").waitFor();
      assert.equal(await page.title(), "app down · Sluice");
      assert.equal(await page.locator("rect.waiter").count(), 3);
      assert.equal(await page.locator("img").count(), 0);
      await page.getByText("/<img src=x onerror=alert(1)>").waitFor();
      assert.equal(await page.locator("#live").textContent(), "Live");
      plane.now = {};
      await page.getByText("All is well, and nobody waits.").waitFor();
      assert.equal(await page.locator("rect.waiter").count(), 0);
    }),
);

test(
  "status page in a browser: all there without JavaScript, and nothing sticks out of a narrow screen",
  options,
  () =>
    withPage(null, { javaScriptEnabled: false, viewport: { width: 360, height: 700 } }, async (page) => {
      await page.getByText("All is well, and nobody waits.").waitFor();
      await page.getByRole("heading", { name: "Recent failures" }).waitFor();
      await page.getByRole("rowheader", { name: "127.0.0.1:3000" }).waitFor();
      const { width } = await page.locator("body").boundingBox() ?? { width: 0 };
      assert.ok(width > 300 && width <= 360, String(width));
      assert.equal(await page.locator("svg.room").getAttribute("role"), "img");
    }),
);

test(
  "status page in a browser: long names and narrow columns keep to their places",
  options,
  async () => {
    for (const width of [360, 900, 1400]) {
      await withPage(TOKEN, { viewport: { width, height: 700 } }, async (page, plane) => {
        const name = "a_rather_long_name_of_an_upstream_that_does_not_end".padEnd(80, "_");
        plane.now = { upstreams: [upstreamStatus(name, { state: "down" })] };
        await page.getByRole("heading", { name }).waitFor();
        const outside = await page.evaluate(`({
          page: document.documentElement.scrollWidth - innerWidth,
          cells: [...document.querySelectorAll(".endpoints th, .endpoints td")]
            .filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent),
        })`);
        assert.deepEqual(outside, { page: 0, cells: [] }, String(width));
      });
    }
  },
);

test(
  "status page in a browser: a button acts with the token, and only with it",
  options,
  () =>
    withPage(TOKEN, {}, async (page, plane) => {
      const pause = page.getByRole("button", { name: "Pause app" });
      await page.getByLabel("Token for actions").fill("not the token of it");
      await pause.click();
      await page.getByText("The token is not right; nothing was done.").waitFor();
      assert.deepEqual(plane.asked, []);
      await page.getByLabel("Token for actions").fill(TOKEN);
      await pause.click();
      await page.getByText("app is paused: new requests wait.").waitFor();
      assert.deepEqual(plane.asked, [["pause", "app", 0, null]]);
      assert.equal(
        await page.getByLabel("Token for actions").inputValue(),
        TOKEN,
        "stays while the page is renewed",
      );
    }),
);

test(
  "status page in a browser: the form acts without JavaScript as well",
  options,
  () =>
    withPage(TOKEN, { javaScriptEnabled: false }, async (page, plane) => {
      await page.getByLabel("Token for actions").fill(TOKEN);
      await page.getByRole("button", { name: "Drain 127.0.0.1:3000 of app" }).click();
      await page.getByText("All is well, and nobody waits.").waitFor();
      assert.deepEqual(plane.asked, [["drain", "127.0.0.1:3000", "app", 30_000, false]]);
    }),
);
