import { describe, expect, test } from "vitest";
import { attempted, inParts, summarize, undo } from "../../src/pages/alerts/actions";
import { VERB_NAMES, VERBS } from "../../src/pages/alerts/verbs";
import type { ActionResult, Alert } from "../../src/protocol";
import { alertOf } from "../sample-alerts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const later = "2026-03-01T13:00:00Z";
const earlier = "2026-03-01T11:00:00Z";

function known(...changes: Partial<Alert>[]): Map<string, Alert> {
  const plain = alertOf(0, NOW);
  for (const part of ["acknowledgement", "snooze", "handling", "assignment"] as const) delete plain[part];
  return new Map(changes.map((change, index) => [`a${index}`, { ...plain, ...change }]));
}

function result(outcome: ActionResult["outcome"], reason: string | null = null): ActionResult {
  return { id: "a", outcome, reason, alert: null };
}

test("the same call again has the key and the past of the first time, and another one its own", () => {
  const call = { verb: "comment" as const, alerts: ["a0"], fields: { comment: "one" } };
  const first = attempted(null, call, () => ({ key: "1", before: known({}) }));
  const never = () => {
    throw new Error("it was begun already");
  };
  expect(attempted(first, { ...call }, never)).toBe(first);
  const other = { ...call, fields: { comment: "other" } };
  expect(attempted(first, other, () => ({ key: "2", before: known({}) })).key).toBe("2");
});

describe("undo", () => {
  test.each(VERB_NAMES)("of %s is that of the table, for those it was applied to", (verb) => {
    const call = { verb, alerts: ["a0", "a1", "a2"], fields: {} };
    expect(undo(call, new Set(["a0", "a2"]), known({}, {}, {}), NOW)).toEqual([
      { verb: VERBS[verb].undoneBy, alerts: ["a0", "a2"], fields: {} },
    ]);
  });

  test("puts back the snooze that was replaced, unless it would be over by now", () => {
    const snooze = { by: "Ada", at: earlier, sticky_severity: true, sticky_output: false };
    const alerts = known({ snooze: { ...snooze, until: later } }, { snooze: { ...snooze, until: earlier } }, {});
    const call = { verb: "snooze" as const, alerts: ["a0", "a1", "a2"], fields: { until: "2026-03-02T00:00:00Z" } };
    expect(undo(call, new Set(call.alerts), alerts, NOW)).toEqual([
      { verb: "snooze", alerts: ["a0"], fields: { until: later, sticky_severity: true, sticky_output: false } },
      { verb: "unsnooze", alerts: ["a1", "a2"], fields: {} },
    ]);
  });

  test("gives an alert back to the one who had it", () => {
    const alerts = known({ assignment: { by: "Ada", assignee: "Kofi", at: earlier } });
    const call = { verb: "assign" as const, alerts: ["a0"], fields: { assignee: "Lena" } };
    expect(undo(call, new Set(["a0"]), alerts, NOW)).toEqual([
      { verb: "assign", alerts: ["a0"], fields: { assignee: "Kofi" } },
    ]);
  });

  test("of nothing is nothing", () => {
    expect(undo({ verb: "resolve", alerts: ["a0"], fields: {} }, new Set(), known({}), NOW)).toEqual([]);
  });
});

describe("the summary", () => {
  test("says how many, and what was not done and why", () => {
    expect(summarize("acknowledge", [result("applied")])).toEqual({
      text: "Acknowledged 1 alert",
      reason: null,
      failed: false,
    });
    const results = [...Array(1204).fill(result("applied")), result("unchanged"), result("refused", "It is closed.")];
    expect(summarize("snooze", results)).toEqual({
      text: "Snoozed 1,204 alerts, 1 unchanged, 1 refused",
      reason: "It is closed.",
      failed: false,
    });
  });

  test("tells nothing to do from nothing done", () => {
    expect(summarize("acknowledge", [result("unchanged")])).toMatchObject({
      text: "1 alert: nothing to change",
      failed: false,
    });
    expect(summarize("resolve", [result("unknown")])).toMatchObject({ text: "Not done: 1 not known", failed: true });
  });
});

test("a long list goes in parts, in order and whole", () => {
  expect(inParts([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
  expect(inParts([], 2)).toEqual([]);
});
