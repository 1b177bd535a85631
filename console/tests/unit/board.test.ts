import { describe, expect, test } from "vitest";
import {
  applyAnswer,
  applyDelta,
  applySnapshot,
  type Board,
  comparison,
  isLeaving,
  newBoard,
  progress,
  queued,
  setPasses,
  setSort,
  settle,
} from "../../src/pages/alerts/board";
import { NO_FACETS, type Subject } from "../../src/pages/alerts/facets";
import { type Alert, type Counters, SEVERITIES } from "../../src/protocol";
import { alertOf } from "../sample-alerts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const COUNTERS: Counters = { total: 0, by_severity: {}, by_state: {}, by_environment: {} };

function alert(name: string, change: Partial<Alert> = {}): Alert {
  return { ...alertOf(0, NOW), fingerprint: name, name, severity: "warning", ...change };
}

function snapshot(alerts: Alert[], { first = true, complete = true, cursor = "1" } = {}) {
  return { type: "snapshot" as const, cursor, alerts, first, complete, counters: COUNTERS };
}

function delta(changed: Alert[], removed: string[] = [], cursor = "2") {
  return { type: "delta" as const, cursor, changed, removed, counters: COUNTERS };
}

function boardWith(...alerts: Alert[]): Board {
  const board = newBoard();
  applySnapshot(board, snapshot(alerts));
  settle(board, NOW);
  return board;
}

const ids = (board: Board) => board.order.map((row) => row.id);

describe("the order", () => {
  test("is the worst severity first, then the newest, whatever the precision of the times", () => {
    const board = boardWith(
      alert("old", { severity: "critical", opened_at: "2026-03-01T10:00:00Z" }),
      alert("down", { severity: "down", opened_at: "2026-03-01T08:00:00Z" }),
      alert("newest", { severity: "critical", opened_at: "2026-03-01T10:00:00.5Z" }),
      alert("calm", { severity: "ok", opened_at: "2026-03-01T11:00:00Z" }),
    );
    expect(ids(board)).toEqual(["down", "newest", "old", "calm"]);
  });

  test("by another column falls back on the worst and the newest", () => {
    const board = boardWith(
      alert("a", { object: "web", severity: "warning" }),
      alert("b", { object: "DB" }),
      alert("c", { object: "web", severity: "critical" }),
    );
    setSort(board, { column: "object", descending: false });
    expect(ids(board)).toEqual(["b", "c", "a"]);
    setSort(board, { column: "object", descending: true });
    expect(ids(board)).toEqual(["c", "a", "b"]);
  });
});

describe("before it is settled", () => {
  test("new rows wait and are counted with the worst of them", () => {
    const board = boardWith(alert("a"), alert("b"));
    const before = ids(board);
    applyDelta(board, delta([alert("c", { severity: "down" }), alert("d")]));
    expect(ids(board)).toEqual(before);
    expect(queued(board)).toEqual({ count: 2, worst: "down" });
    settle(board, NOW);
    expect(ids(board)[0]).toBe("c");
    expect(queued(board)).toEqual({ count: 0, worst: null });
  });

  test("a row that got worse changes in place, and moves when it is settled", () => {
    const board = boardWith(alert("a", { severity: "critical" }), alert("b"));
    applyDelta(board, delta([alert("b", { severity: "down", version: 2 })]));
    expect(board.order.map((row) => [row.id, row.alert.severity])).toEqual([
      ["a", "critical"],
      ["b", "down"],
    ]);
    settle(board, NOW);
    expect(ids(board)).toEqual(["b", "a"]);
  });

  test("a removed row stays where it stood, marked as gone", () => {
    const board = boardWith(alert("a", { severity: "critical" }), alert("b"));
    applyDelta(board, delta([], ["a"]));
    expect(board.order.map((row) => [row.id, isLeaving(row)])).toEqual([
      ["a", true],
      ["b", false],
    ]);
    settle(board, NOW);
    expect(ids(board)).toEqual(["b"]);
  });

  test("a row that was removed and comes back is as it was, even in the same version", () => {
    const board = boardWith(alert("a"), alert("b"));
    const before = ids(board);
    applyDelta(board, delta([], ["a"]));
    applyDelta(board, delta([alert("a")]));
    expect(board.order.some(isLeaving)).toBe(false);
    settle(board, NOW);
    expect(ids(board)).toEqual(before);
  });

  test("a waiting row that is removed again never appears", () => {
    const board = boardWith(alert("a"));
    applyDelta(board, delta([alert("b")]));
    applyDelta(board, delta([], ["b"]));
    expect(queued(board).count).toBe(0);
    settle(board, NOW);
    expect(ids(board)).toEqual(["a"]);
  });
});

describe("versions", () => {
  test("a delta that comes late or twice does no harm", () => {
    const board = boardWith(alert("a", { version: 5, output: "new" }));
    applyDelta(board, delta([alert("a", { version: 4, output: "old" })]));
    applyDelta(board, delta([alert("a", { version: 5, output: "again" })]));
    expect(board.rows.get("a")?.alert.output).toBe("new");
  });

  test("a snapshot is believed even when its versions are lower", () => {
    const board = boardWith(alert("a", { version: 5, output: "before the reset" }));
    applySnapshot(board, snapshot([alert("a", { version: 1, output: "after it" })]));
    expect(board.rows.get("a")?.alert.output).toBe("after it");
  });

  test("the answer to an action counts ahead of the stream, and a closed alert goes", () => {
    const board = boardWith(alert("a"), alert("b"));
    applyAnswer(board, alert("a", { version: 2, operator_state: "acknowledged" }));
    applyAnswer(board, alert("b", { version: 2, status: "closed" }));
    applyAnswer(board, alert("never shown", { version: 9 }));
    settle(board, NOW);
    expect(board.order.map((row) => [row.id, row.alert.operator_state])).toEqual([["a", "acknowledged"]]);
  });
});

describe("a snapshot in parts", () => {
  test("shows its first part at once and has a cursor only when it is complete", () => {
    const board = newBoard();
    applySnapshot(board, snapshot([alert("a")], { complete: false }));
    settle(board, NOW);
    expect(ids(board)).toEqual(["a"]);
    expect(board.cursor).toBeNull();
    applySnapshot(board, snapshot([alert("b")], { first: false, cursor: "7" }));
    settle(board, NOW);
    expect(board.rows.size).toBe(2);
    expect(board.cursor).toBe("7");
  });

  test("after a broken line moves nothing and lets go only what it does not name", () => {
    const board = boardWith(alert("a", { severity: "critical" }), alert("b"), alert("c"));
    const before = ids(board);
    applySnapshot(board, snapshot([alert("b", { version: 2 }), alert("d")], { complete: false }));
    applySnapshot(board, snapshot([alert("c")], { first: false }));
    expect(ids(board)).toEqual(before);
    expect(board.order.filter(isLeaving).map((row) => row.id)).toEqual(["a"]);
    settle(board, NOW);
    expect(new Set(ids(board))).toEqual(new Set(["b", "c", "d"]));
  });

  test("keeps what a delta between its parts brings", () => {
    const board = newBoard();
    applySnapshot(board, snapshot([alert("a"), alert("b")], { complete: false }));
    applyDelta(board, delta([alert("c")], ["b"]));
    applySnapshot(board, snapshot([], { first: false }));
    settle(board, NOW);
    expect(new Set(ids(board))).toEqual(new Set(["a", "c"]));
  });
});

test("whatever comes, settled rows are what is known in full order, and unsettled rows do not move", () => {
  let state = 7;
  const number = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < 60; round++) {
    const board = newBoard({
      column: (["severity", "age", "name"] as const)[round % 3] ?? "name",
      descending: round % 2 === 0,
    });
    const model = new Map<string, Alert>();
    for (let step = 0; step < 80; step++) {
      const before = ids(board);
      const id = `alert ${number(20)}`;
      const known = model.get(id);
      if (number(3) === 0) {
        model.delete(id);
        applyDelta(board, delta([], [id]));
      } else {
        const next = alert(id, {
          version: 1 + step,
          severity: SEVERITIES[number(7)] ?? "ok",
          opened_at: known?.opened_at ?? new Date(NOW - number(5) * 60_000).toISOString(),
        });
        model.set(id, next);
        applyDelta(board, delta([next]));
      }
      expect(ids(board)).toEqual(before);
      if (number(4) > 0) continue;
      settle(board, NOW);
      const sorted = [...board.rows.values()].sort(comparison(board.sort));
      expect(ids(board)).toEqual(sorted.map((row) => row.id));
      expect(new Map(board.order.map((row) => [row.id, row.alert]))).toEqual(model);
    }
  }
});

describe("the alerts that are looked at", () => {
  const active = ({ alert }: Subject) => alert.operator_state === "active";

  test("are chosen of those that are known, at once and without the server", () => {
    const board = boardWith(
      alert("a", { operator_state: "active" }),
      alert("b", { operator_state: "snoozed" }),
      alert("c", { operator_state: "active" }),
    );
    setPasses(board, active);
    expect(ids(board).sort()).toEqual(["a", "c"]);
    setPasses(board, () => true);
    expect(ids(board).sort()).toEqual(["a", "b", "c"]);
  });

  test("stay where they stand when they no longer belong there, and come back when they do again", () => {
    const board = boardWith(alert("a", { operator_state: "active" }));
    setPasses(board, active);
    applyDelta(board, delta([alert("a", { operator_state: "snoozed", version: 2 })]));
    expect(board.order.map(isLeaving)).toEqual([true]);
    settle(board, NOW);
    expect(ids(board)).toEqual([]);
    applyDelta(board, delta([alert("a", { operator_state: "active", version: 3 })]));
    expect(queued(board).count).toBe(1);
    settle(board, NOW);
    expect(ids(board)).toEqual(["a"]);
    applyDelta(board, delta([], ["a"]));
    expect(board.tally.total("open", NO_FACETS)).toBe(0);
    settle(board, NOW);
    expect(board.rows.size).toBe(0);
  });

  test("are counted while the list is being read", () => {
    const board = newBoard();
    const counters = { ...COUNTERS, total: 2 };
    applySnapshot(board, { ...snapshot([alert("a")], { complete: false }), counters });
    expect(progress(board)).toEqual({ have: 1, of: 2 });
    applySnapshot(board, { ...snapshot([alert("b")], { first: false }), counters });
    expect(progress(board)).toBeNull();
  });
});
