import { expect, test } from "vitest";
import { tabAfter } from "../../src/kit/Tabs";
import { journeyText } from "../../src/pages/alerts/journey-text";
import { TAB_NAMES, tabFrom } from "../../src/pages/alerts/tabs";
import { reasonWord } from "../../src/pages/alerts/words";
import type { Journey } from "../../src/protocol";
import { alertOf, historyOf, upcomingOf } from "../sample-alerts";

const NOW = Date.parse("2026-03-01T12:00:00Z");

function journey(): Journey {
  const { acknowledgement: _, ...alert } = {
    ...alertOf(0, NOW),
    opened_at: "2026-03-01T11:00:00.000Z",
    source: "prom",
  };
  return { alert, past: historyOf(alert, NOW), has_older: false, upcoming: upcomingOf(alert, NOW) };
}

test("a journey as text has how it was received, each line with its actor, and what is to come after now", () => {
  const of = journey();
  const { name, object, environment, severity, integration, output } = of.alert;
  const lines = journeyText({ ...of, past: of.past.slice(0, 2) }).split("\n");
  expect(lines).toEqual([
    `${name} on ${object} (${environment}), open, ${severity}, since 2026-03-01T11:00:00.000Z`,
    `2026-03-01T11:00:00.000Z  integration ${integration}: opened as ${severity}: ${output} [received from prom at ` +
      "2026-03-01T10:59:59.965Z; key 2026; rules staging is never urgent; event 01940000-0000-7000-8000-000000000001]",
    `2026-03-01T11:00:00.040Z  scenario ${of.alert.scenario} step 1: slack #ops-alerts is notified`,
    "--- now ---",
    `2026-03-01T12:04:00.000Z  scenario ${of.alert.scenario} step 2 notifies email on-call@example.org`,
    `2026-03-01T12:14:00.000Z  scenario ${of.alert.scenario} step 3 notifies webhook https://hooks.example.org/escalate`,
  ]);
});

test("a journey as text says when lines are left out, and what waits for no time", () => {
  const upcoming = [{ message: "no one is notified", details: { type: "no_scenario" as const, scenario: "x" } }];
  const lines = journeyText({ ...journey(), past: [], has_older: true, upcoming }).split("\n");
  expect(lines.slice(1)).toEqual(["(older lines are left out)", "--- now ---", "no time yet  no one is notified"]);
});

test("arrow keys lead around the tabs, Home and End to the first and the last, and no other key elsewhere", () => {
  expect(tabAfter("ArrowRight", 4, 5)).toBe(0);
  expect(tabAfter("ArrowLeft", 0, 5)).toBe(4);
  expect(tabAfter("Home", 3, 5)).toBe(0);
  expect(tabAfter("End", 3, 5)).toBe(4);
  expect(tabAfter("ArrowDown", 3, 5)).toBeNull();
  expect(tabFrom("raw", 1)).toBe(TAB_NAMES[0]);
  expect(tabFrom("journey", -1)).toBe("raw");
});

test("the kind of a reason is worded, with the hold that it is", () => {
  expect(reasonWord({ type: "held", hold: "snooze", by: "Ada" })).toBe("held: snooze");
  expect(reasonWord({ type: "severity_below", severity: "warning", minimum: "urgent" })).toBe("severity below");
});
