import { describe, expect, test } from "vitest";
import { DEFAULT_COLUMNS, DEFAULT_SORT, fitColumns, sortAfterClick } from "../../src/columns";
import { intentOf } from "../../src/keyboard";
import { type Place, readPlace, writePlace } from "../../src/location";
import { extend, step, toggle } from "../../src/selection";

const ALERT = "0123456789abcdef0123456789abcdef";

describe("the address", () => {
  test("is empty for the usual", () => {
    expect(writePlace(readPlace(""))).toBe("");
    expect(readPlace("").sort).toEqual(DEFAULT_SORT);
  });

  test("brings back all that was looked at", () => {
    const place: Place = {
      choice: {
        query: 'team="pay" 5xx & more',
        environments: ["prod & co", "office"],
        states: ["active", "in_downtime"],
        severities: ["critical", "down"],
      },
      sort: { column: "label:a,b", descending: true },
      list: "closed",
      alert: ALERT,
    };
    expect(readPlace(writePlace(place))).toEqual(place);
  });

  test("from elsewhere chooses nothing that does not exist", () => {
    const place = readPlace("#severity=fatal&state=gone&sort=nonsense,desc&alert=..%2Fadmin&list=all");
    expect(place).toEqual(readPlace(""));
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

  test("leave the browser its own combinations", () => {
    for (const name of ["r", "c", "a"]) expect(intentOf(key(name, { altKey: true }), true)).toBeNull();
    expect(intentOf(key("r", { ctrlKey: true }), true)).toBeNull();
    expect(intentOf(key("a", { metaKey: true }), true)).toEqual({ kind: "select-all" });
  });

  test("that are single letters can be switched off, arrows cannot", () => {
    expect(intentOf(key("r"), true)).toEqual({ kind: "do", verb: "resolve", ask: true });
    expect(intentOf(key("r"), false)).toBeNull();
    expect(intentOf(key("ArrowDown", { shiftKey: true }), false)).toEqual({ kind: "move", by: 1, extend: true });
  });
});
