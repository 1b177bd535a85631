import { describe, expect, test } from "vitest";
import { safeLink } from "../../src/kit/safe-link";
import { wordAgo, wordDuration, wordLeft, wordTime } from "../../src/kit/time";
import { toCsv } from "../../src/pages/alerts/csv";
import { amendedWords } from "../../src/pages/alerts/words";
import { alertOf } from "../sample-alerts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("times", () => {
  test.each([
    [-5, "0s"],
    [59_999, "59s"],
    [MINUTE, "1m"],
    [HOUR - 1, "59m"],
    [3 * HOUR + 12 * MINUTE, "3h 12m"],
    [3 * HOUR, "3h"],
    [52 * HOUR, "2d 4h"],
    [34 * 24 * HOUR + HOUR, "34d"],
  ])("%i ms last %s", (milliseconds, words) => {
    expect(wordDuration(milliseconds)).toBe(words);
  });

  test("what is left is rounded up, so that it is never nothing too early", () => {
    expect(wordLeft(10 * MINUTE, 1)).toBe("10m left");
    expect(wordLeft(1, 0)).toBe("1s left");
    expect(wordLeft(0, 0)).toBe("over");
  });

  test("what was just now is said so, also when the clocks differ a little", () => {
    expect(wordAgo(1000, 0)).toBe("just now");
    expect(wordAgo(0, 5 * MINUTE)).toBe("5m ago");
  });

  test("the day is named when it is not today in the reader's zone, the year when it is not this one", () => {
    const now = Date.parse("2026-03-01T12:00:00Z");
    expect(wordTime(Date.parse("2026-03-01T08:05:09Z"), now, "UTC")).toBe("08:05:09");
    expect(wordTime(Date.parse("2026-02-28T23:30:00Z"), now, "UTC")).toBe("28 Feb 23:30:00");
    expect(wordTime(Date.parse("2026-02-28T23:30:00Z"), now, "Europe/Berlin")).toBe("00:30:00");
    expect(wordTime(Date.parse("2025-12-31T10:00:00Z"), now, "UTC")).toBe("31 Dec 2025 10:00:00");
  });
});

describe("links from alerts", () => {
  test.each([
    ["https://example.org/a b", "https://example.org/a%20b"],
    ["http://10.0.0.1:3000/", "http://10.0.0.1:3000/"],
    ["mailto:ops@example.org", "mailto:ops@example.org"],
    ["javascript:alert(1)", null],
    [" JavaScript:alert(1)", null],
    ["data:text/html,x", null],
    ["file:///etc/passwd", null],
    ["/relative", null],
  ])("%s opens as %s", (address, opened) => {
    expect(safeLink(address)).toBe(opened);
  });
});

describe("the file for a spreadsheet", () => {
  test("quotes what must be quoted and lets no formula through", () => {
    const alert = {
      ...alertOf(0, 0),
      fingerprint: "f",
      name: '=HYPERLINK("x")',
      object: "a,b",
      labels: { team: "pay" },
      output: "line 1\nline 2",
    };
    expect(toCsv([alert], ["name", "object", "label:team"])).toBe(
      'Alert,Object,team,Output,Id\r\n"\'=HYPERLINK(""x"")","a,b",pay,"line 1\nline 2",f\r\n',
    );
  });
});

test("what was amended is named by its parts", () => {
  const amended = {
    by: "ann",
    at: "2026-09-01T10:00:00Z",
    severity: "urgent",
    labels: { team: "pay", tier: null },
    tags: { db: true },
  } as const;
  expect(amendedWords(amended)).toBe("severity, team, tier, db");
});
