/** Which key means what. */
import type { Verb } from "./actions";

export type Intent =
  | { kind: "move"; by: number | "page-up" | "page-down" | "first" | "last"; extend: boolean }
  | { kind: "select" }
  | { kind: "select-all" }
  | { kind: "do"; verb: Verb; ask: boolean }
  | { kind: "undo" }
  | { kind: "open" }
  | { kind: "close" }
  | { kind: "filter" }
  | { kind: "show-new" }
  | { kind: "help" };

export interface Key {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

const LETTERS: Record<string, Intent> = {
  j: { kind: "move", by: 1, extend: false },
  k: { kind: "move", by: -1, extend: false },
  J: { kind: "move", by: 1, extend: true },
  K: { kind: "move", by: -1, extend: true },
  x: { kind: "select" },
  a: { kind: "do", verb: "acknowledge", ask: false },
  A: { kind: "do", verb: "acknowledge", ask: true },
  s: { kind: "do", verb: "snooze", ask: true },
  h: { kind: "do", verb: "handle", ask: true },
  g: { kind: "do", verb: "assign", ask: true },
  c: { kind: "do", verb: "comment", ask: true },
  r: { kind: "do", verb: "resolve", ask: true },
  u: { kind: "undo" },
  n: { kind: "show-new" },
  "/": { kind: "filter" },
  "?": { kind: "help" },
};

/** The intent of a key in the table; `letters` says whether single letters do anything. */
export function intentOf(key: Key, letters: boolean): Intent | null {
  if (key.altKey) return null;
  if (key.ctrlKey || key.metaKey) return key.key.toLowerCase() === "a" && !key.shiftKey ? { kind: "select-all" } : null;
  switch (key.key) {
    case "ArrowDown":
      return { kind: "move", by: 1, extend: key.shiftKey };
    case "ArrowUp":
      return { kind: "move", by: -1, extend: key.shiftKey };
    case "PageDown":
      return { kind: "move", by: "page-down", extend: key.shiftKey };
    case "PageUp":
      return { kind: "move", by: "page-up", extend: key.shiftKey };
    case "Home":
      return { kind: "move", by: "first", extend: key.shiftKey };
    case "End":
      return { kind: "move", by: "last", extend: key.shiftKey };
    case "Enter":
      return { kind: "open" };
    case "Escape":
      return { kind: "close" };
    case " ":
      return { kind: "select" };
    default:
      return letters ? (LETTERS[key.key] ?? null) : null;
  }
}
