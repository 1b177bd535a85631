import { expect, test } from "vitest";
import { rowsOf } from "../../src/pages/heartbeats/store";
import { HEARTBEATS, missedOf } from "../sample-alerts";

const [backup, watchdog, sync] = HEARTBEATS as [(typeof HEARTBEATS)[0], (typeof HEARTBEATS)[0], (typeof HEARTBEATS)[0]];

test("heartbeats stand by name, those that are missed first, each with the alert of its own integration", () => {
  const missed = missedOf(watchdog, 1, 0);
  const over = { ...missedOf(backup, 2, 0), status: "closed" as const };
  const rows = rowsOf([sync, watchdog, backup], [missed, over, { ...missed, integration: "other", object: sync.name }]);
  expect(rows.map(({ name, state, beat }) => [name, state, beat?.object ?? null])).toEqual([
    ["prometheus-main", "missed", "prometheus-main"],
    ["nightly-backup", "calling", "nightly-backup"],
    ["sync", "disabled", null],
  ]);
  expect(rowsOf([backup], []).map(({ state }) => state)).toEqual(["silent"]);
});
