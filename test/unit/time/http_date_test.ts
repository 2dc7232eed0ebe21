/** The Date field: right, and made once a second. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpDate } from "../../../src/time/http_date.ts";
import { FakeClock } from "../../support/fake_clock.ts";

test("an IMF-fixdate of the wall clock", () => {
  const clock = new FakeClock();
  const date = new HttpDate(clock);
  assert.equal(date.text(), "Sun, 06 Nov 1994 08:49:37 GMT");
  clock.advance(999);
  assert.equal(date.text(), "Sun, 06 Nov 1994 08:49:37 GMT");
  clock.advance(1);
  assert.equal(date.text(), "Sun, 06 Nov 1994 08:49:38 GMT");
  clock.advance(24 * 3600 * 1000);
  assert.equal(date.text(), "Mon, 07 Nov 1994 08:49:38 GMT");
});

test("the format is that of RFC 9110 §5.6.7 on any day", () => {
  for (let day = 0; day < 800; day++) {
    const clock = new FakeClock(0, Date.UTC(2024, 0, 1 + day, 1, 2, 3, 999));
    const text = new HttpDate(clock).text();
    assert.match(text, /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} 202[456] 01:02:03 GMT$/);
    assert.equal(Date.parse(text), Date.UTC(2024, 0, 1 + day, 1, 2, 3));
  }
});
