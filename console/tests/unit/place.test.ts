import { describe, expect, test } from "vitest";
import { type Command, commandOf, type Key } from "../../src/commands";
import { DEFAULT_COLUMNS, DEFAULT_SORT, fitColumns, sortAfterClick } from "../../src/pages/alerts/columns";
import { isPlace, type Place, readPlace, writePlace } from "../../src/pages/alerts/place";
import { extend, step, toggle } from "../../src/pages/alerts/selection";

const ALERT = "0123456789abcdef0123456789abcdef";

describe("the address", () => {
  test("is short for the usual", () => {
    expect(writePlace(readPlace("/alerts"))).toBe("/alerts");
    expect(readPlace("/alerts")).toMatchObject({ sort: DEFAULT_SORT, list: "attention", alert: null, tab: "journey" });
    expect(writePlace(readPlace(`/alerts/${ALERT}?tab=journey`))).toBe(`/alerts/${ALERT}`);
    expect(writePlace(readPlace("/alerts?tab=raw"))).toBe("/alerts");
  });

  test("brings back all that was looked at", () => {
    const place: Place = {
      choice: {
        query: 'team="pay" 5xx & more',
        facets: {
          environment: { only: ["prod & co", "office"], not: [] },
          state: { only: ["in_downtime", "active"], not: [] },
          severity: { only: [], not: ["critical", "down"] },
        },
      },
      sort: { column: "label:a,b", descending: true },
      list: "closed",
      alert: ALERT,
      tab: "notifications",
    };
    expect(readPlace(writePlace(place))).toEqual(place);
  });

  test("from elsewhere chooses nothing that does not exist", () => {
    const place = readPlace(
      "/alerts/..%2Fadmin?severity=fatal&severity=!fatal&state=gone&sort=nonsense,desc&list=all&tab=x",
    );
    expect(place).toEqual(readPlace("/alerts"));
  });

  test("is told from those of other pages", () => {
    for (const address of ["/alerts", "/alerts?q=x", `/alerts/${ALERT}`]) expect(isPlace(address)).toBe(true);
    for (const address of ["/", "/silences", "/alertsx"]) expect(isPlace(address)).toBe(false);
  });
});

describe("a click on a column", () => {
  test("sorts it the useful way round, and the second one the other way", () => {
    const byName = sortAfterClick(DEFAULT_SORT, "name");
    expect(byName).toEqual({ column: "name", descending: false });
    expect(sortAfterClick(byName, "name").descending).toBe(true);
    expect(sortAfterClick(byName, "severity")).toEqual(DEFAULT_SORT);
  });
});

describe("a narrow table", () => {
  test("leaves out what matters least and keeps severity and name", () => {
    expect(fitColumns(DEFAULT_COLUMNS, 2000)).toEqual(DEFAULT_COLUMNS);
    expect(fitColumns([...DEFAULT_COLUMNS, "scenario"], 1060)).toEqual(DEFAULT_COLUMNS);
    expect(fitColumns(DEFAULT_COLUMNS, 800)).toEqual(["severity", "name", "object", "environment", "age", "state"]);
    expect(fitColumns(DEFAULT_COLUMNS, 0)).toEqual(["severity", "name"]);
  });
});

describe("the selection", () => {
  const order = ["a", "b", "c", "d", "e"];
  test("is switched row by row", () => {
    expect(toggle(new Set(["a"]), "b")).toEqual(new Set(["a", "b"]));
    expect(toggle(new Set(["a", "b"]), "a")).toEqual(new Set(["b"]));
  });

  test("extends from the anchor either way, keeping what was selected", () => {
    expect(extend(new Set(["e"]), order, "a", "c")).toEqual(new Set(["e", "a", "b", "c"]));
    expect(extend(new Set(), order, "d", "b")).toEqual(new Set(["b", "c", "d"]));
    expect(extend(new Set(), order, "gone", "b")).toEqual(new Set(["b"]));
  });

  test("is walked by keyboard, stops at the ends, and goes on where a row went away", () => {
    expect(step(order, null, 1)).toBe("a");
    expect(step(order, "a", -1)).toBe("a");
    expect(step(order, "d", 10)).toBe("e");
    expect(step(order, null, 1, 2)).toBe("c");
    expect(step(order, null, -1, 2)).toBe("b");
    expect(step([], null, 1)).toBeNull();
  });
});

describe("keys", () => {
  const key = (name: string, held: Partial<Record<"shiftKey" | "ctrlKey" | "metaKey" | "altKey", boolean>> = {}) => ({
    key: name,
    shiftKey: false,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    ...held,
  });
  const run = () => {};
  const table: Command[] = [
    { id: "resolve", title: "Resolve", group: "", keys: ["r"], scope: "list", run },
    { id: "down", title: "down", group: "", keys: ["j", "ArrowDown"], scope: "free", run },
    { id: "extend", title: "extend", group: "", keys: ["Shift+ArrowDown"], scope: "free", run },
    { id: "all", title: "all", group: "", keys: ["Ctrl+A"], scope: "free", run },
    { id: "help", title: "help", group: "", keys: ["?"], scope: "page", run },
  ];
  const found = (of: Key, focus: "list" | "nowhere" | "elsewhere" = "list", letters = true) =>
    commandOf(table, of, focus, letters)?.id ?? null;

  test("leave the browser its own combinations", () => {
    expect(found(key("r", { altKey: true }))).toBeNull();
    expect(found(key("r", { ctrlKey: true }))).toBeNull();
    expect(found(key("a", { metaKey: true }))).toBe("all");
    expect(found(key("?", { shiftKey: true }))).toBe("help");
  });

  test("that are single letters can be switched off, arrows cannot", () => {
    expect(found(key("r"))).toBe("resolve");
    expect(found(key("r"), "list", false)).toBeNull();
    expect(found(key("ArrowDown", { shiftKey: true }), "list", false)).toBe("extend");
  });

  test("act where the focus allows it", () => {
    expect(found(key("r"), "nowhere")).toBeNull();
    expect(found(key("j"), "nowhere")).toBe("down");
    expect(found(key("j"), "elsewhere")).toBeNull();
    expect(found(key("?"), "elsewhere")).toBe("help");
  });
});
