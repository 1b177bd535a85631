/** What the components show, as signals. */
import { computed, effect, signal } from "@preact/signals";
import type { Verb } from "./actions";
import { newBoard, type Row } from "./board";
import { type ColumnId, DEFAULT_COLUMNS, DEFAULT_SORT, isColumn } from "./columns";
import type { ConnectionStatus } from "./connection";
import { parseQuery, toFilter } from "./filter";
import { readPlace, writePlace } from "./location";
import type { Counters, Session } from "./protocol";
import { load, loadList, save } from "./storage";

const place = readPlace(location.hash);

/** The open alerts; {@link revision} says that something about them is new. */
export const board = newBoard(place.sort);
export const revision = signal(0);
export const counters = signal<Counters>(board.counters);
/** Whether the first snapshot of the present filter is here as a whole. */
export const loaded = signal(false);

export const choice = signal(place.choice);
export const sort = signal(place.sort);
export const list = signal(place.list);
export const openedId = signal(place.alert);

/** The rows in the table, from top to bottom; written by `live.ts` and `closed.ts`. */
export const shown = signal<Row[]>([]);
/** Counts up when the table is to begin at its top again. */
export const toTop = signal(0);

export const selected = signal<ReadonlySet<string>>(new Set());
export const cursorId = signal<string | null>(null);
/** Where the keyboard stood when its row went away. */
export const cursorPlace = signal(0);
/** From where a selection with the shift key extends. */
export const anchorId = signal<string | null>(null);

export const pointerInside = signal(false);
export const keyboardActive = signal(false);

export type DialogRequest =
  | { kind: "name"; afterwards: () => void }
  | { kind: "help" }
  | { kind: "act"; verb: Verb; ids: string[] };
export const dialog = signal<DialogRequest | null>(null);

export interface Toast {
  id: number;
  text: string;
  detail: string | null;
  failed: boolean;
  action: { label: string; run: () => void } | null;
}
export const toasts = signal<Toast[]>([]);
export const pointerOnToasts = signal(false);

export const status = signal<ConnectionStatus>({ kind: "connecting" });
/** When a frame last came, by the clock of this machine; null before the first. */
export const lastFrameAt = signal<number | null>(null);
/** Since when the server's view has heard nothing, by the server's clock, when that is long ago. */
export const viewSilentSince = signal<number | null>(null);
/** How many other consoles are sent their list before this one is; null while it does not wait. */
export const waitingBehind = signal<number | null>(null);
/** The server's clock minus the one here. */
export const clockOffset = signal(0);
/** The server's time, once a second while somebody looks. */
export const clock = signal(Date.now());

export const session = signal<Session | null>(null);
export const needsToken = signal(false);
export const ownName = signal(load("name"));
export const author = computed(() => session.value?.user ?? ownName.value);

/** Why the server did not take the filter. */
export const refusal = signal<string | null>(null);
export const siteEnvironments = signal<string[]>([]);

export const columns = signal<ColumnId[]>(loadList("columns")?.filter(isColumn) ?? [...DEFAULT_COLUMNS]);
export const lettersOn = signal(load("letters") !== "off");

export type Theme = "system" | "light" | "dark";
const keptTheme = load("theme");
export const theme = signal<Theme>(keptTheme === "light" || keptTheme === "dark" ? keptTheme : "system");

export const parsed = computed(() => parseQuery(choice.value.query));
/** What is asked of the server; null while the box cannot be understood. */
export const filter = computed(() => (parsed.value.ok ? toFilter(choice.value, parsed.value.query) : null));

/** While this holds no row moves: somebody points at the table, has chosen something or reads something. */
export const holding = computed(
  () =>
    pointerInside.value ||
    keyboardActive.value ||
    selected.value.size > 0 ||
    openedId.value !== null ||
    dialog.value !== null,
);

/** Whether what is shown may be old: why, and since when by the clock of this machine. */
export const stale = computed<{ why: "line" | "view"; since: number } | null>(() => {
  if (lastFrameAt.value === null) return null;
  if (status.value.kind !== "live") return { why: "line", since: lastFrameAt.value };
  if (viewSilentSince.value !== null) return { why: "view", since: viewSilentSince.value - clockOffset.value };
  return null;
});

/** The server's time now. */
export function serverNow(): number {
  return Date.now() + clockOffset.peek();
}

/** Keeps the address, the storage and the document in step with the signals. */
export function keepOutside(): void {
  effect(() => {
    const hash = writePlace({
      choice: choice.value,
      sort: sort.value,
      list: list.value,
      alert: openedId.value,
    });
    if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname + location.search);
  });
  effect(() => {
    save("theme", theme.value === "system" ? null : theme.value);
    if (theme.value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
  });
  effect(() => save("name", ownName.value));
  effect(() => {
    const kept = JSON.stringify(columns.value);
    save("columns", kept === JSON.stringify(DEFAULT_COLUMNS) ? null : kept);
  });
  effect(() => save("letters", lettersOn.value ? null : "off"));
  effect(() => {
    const { total, by_severity } = counters.value;
    const grave = (by_severity.critical ?? 0) + (by_severity.urgent ?? 0) + (by_severity.down ?? 0);
    const counts = loaded.value ? `${grave ? `${grave} grave, ` : ""}${total} open` : "";
    document.title = [stale.value ? "Stale" : "", counts, "Reveille"].filter(Boolean).join(" · ");
  });
  addEventListener("hashchange", () => {
    const next = readPlace(location.hash);
    choice.value = next.choice;
    sort.value = next.sort;
    list.value = next.list;
    openedId.value = next.alert;
  });
}

/** The usual order of a list: open alerts by severity, closed ones by when they closed. */
export function usualSort(of: "open" | "closed"): typeof DEFAULT_SORT {
  return of === "open" ? DEFAULT_SORT : { column: "age", descending: false };
}
