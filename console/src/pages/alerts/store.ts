/** What the alerts page shows, as signals. */
import { batch, computed, effect, signal } from "@preact/signals";
import { address, go, leaveTo } from "../../address";
import { dialog } from "../../kit/forms";
import { loadList, save } from "../../kit/storage";
import { stale } from "../../session";
import { site } from "../../site";
import { silences } from "../silences/store";
import { newBoard, type Row } from "./board";
import { type ColumnId, DEFAULT_COLUMNS, DEFAULT_SORT, isColumn } from "./columns";
import { areFacetsChosen, LIST_NAMES, type List, NO_FACETS } from "./facets";
import { NO_CHOICE, parseQuery, toClosedFilter, toFilter, withMatcher } from "./filter";
import { isPlace, readPlace, writePlace } from "./place";
import { silencesOf } from "./silenced";

const place = readPlace(address.peek());

/** The open alerts; {@link revision} says that something about them is new. */
export const board = newBoard(place.sort);
export const revision = signal(0);
/** Whether the first snapshot of the present filter is here as a whole. */
export const loaded = signal(false);
/** How far the list has been read, while it is being read. */
export const loading = signal<{ have: number; of: number } | null>(null);

export const choice = signal(place.choice);
export const sort = signal(place.sort);
export const list = signal(place.list);
export const openedId = signal(place.alert);
/** Which part of the details is shown. */
export const tab = signal(place.tab);

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
/** Whether there was no input for {@link IDLE_MS}. */
export const idle = signal(false);

/** How many other consoles are sent their list before this one is; null while it does not wait. */
export const waitingBehind = signal<number | null>(null);
/** Why the server did not take the filter. */
export const refusal = signal<string | null>(null);
export const siteEnvironments = computed(() => site.value.value?.environments.map(({ name }) => name) ?? []);

export const columns = signal<ColumnId[]>(loadList("columns")?.filter(isColumn) ?? [...DEFAULT_COLUMNS]);

export const parsed = computed(() => parseQuery(choice.value.query));
/** What is asked of the server; null while the box cannot be understood. */
export const filter = computed(() => (parsed.value.ok ? toFilter(parsed.value.query) : null));
export const closedFilter = computed(() =>
  parsed.value.ok ? toClosedFilter(choice.value.facets, parsed.value.query) : null,
);

export const facets = computed(() => choice.value.facets);

/** The silence of an alert, if there is one. */
export const silenceOf = computed(() => silencesOf(silences.value.value ?? []));

/** Whether the list is narrowed in any way. */
export const isNarrowed = computed(() => choice.value.query.trim() !== "" || areFacetsChosen(choice.value.facets));

/** After so long without any input nothing is held any more. */
export const IDLE_MS = 60_000;

/** While the pointer or the keyboard is in the table no row moves, not even when a list is being read. */
export const pointing = computed(() => !idle.value && (pointerInside.value || keyboardActive.value));

/** While this holds no row moves: the reader points at the table, has selected something or reads something. */
export const holding = computed(
  () => !idle.value && (pointing.value || selected.value.size > 0 || openedId.value !== null || dialog.value !== null),
);

/** How many alerts need attention, of those that pass the filter box; null while that is not known. */
export const attention = computed(() => {
  revision.value;
  return loaded.value ? board.tally.total("attention", NO_FACETS) : null;
});

/** Look at another list. */
export function openList(next: List): void {
  if (list.peek() === next) return;
  batch(() => {
    selected.value = new Set();
    cursorId.value = null;
    openedId.value = null;
    if ((list.peek() === "closed") !== (next === "closed")) sort.value = usualSort(next);
    list.value = next;
  });
}

/** Ask for one more matcher in the filter box. */
export function narrow(matcher: string): void {
  const before = choice.peek();
  choice.value = { ...before, query: withMatcher(before.query, matcher) };
}

/** Show all of the list. */
export function clearChoice(): void {
  choice.value = NO_CHOICE;
}

/** Keeps the address, the storage and the title in step with the signals. */
export function keepOutside(): void {
  effect(() => {
    const here = address.value;
    if (!isPlace(here)) return;
    const next = readPlace(here);
    if (writePlace(next) === writePlace(presentPlace(true))) return;
    batch(() => {
      choice.value = next.choice;
      sort.value = next.sort;
      list.value = next.list;
      openedId.value = next.alert;
      if (next.alert !== null) tab.value = next.tab;
    });
  });
  effect(() => {
    const next = writePlace(presentPlace(false));
    const here = address.peek();
    if (!isPlace(here) || next === here) return;
    const before = readPlace(here).alert;
    const after = openedId.peek();
    if (before === null && after !== null) go(next);
    else if (before !== null && after === null) leaveTo(next);
    else go(next, { replace: true });
  });
  effect(() => {
    const kept = JSON.stringify(columns.value);
    save("columns", kept === JSON.stringify(DEFAULT_COLUMNS) ? null : kept);
  });
  effect(() => {
    document.title = [titleCounts(), "Reveille"].filter(Boolean).join(" · ");
  });
  followInput();
}

/** What is looked at now; as it is written, so reading it follows it, unless only its value is wanted. */
function presentPlace(only: boolean) {
  return only
    ? { choice: choice.peek(), sort: sort.peek(), list: list.peek(), alert: openedId.peek(), tab: tab.peek() }
    : { choice: choice.value, sort: sort.value, list: list.value, alert: openedId.value, tab: tab.value };
}

/** A title that may be old says so and counts nothing. */
function titleCounts(): string {
  if (stale.value) return "Unknown";
  if (attention.value === null) return "";
  const severities = board.tally.counts("severity", "attention", NO_FACETS);
  const grave = (severities.critical ?? 0) + (severities.urgent ?? 0) + (severities.down ?? 0);
  if (attention.value === 0) return "All quiet";
  return `${grave ? `${grave} grave, ` : ""}${attention.value} to attend to`;
}

/** A pointer, a key or a finger says that the page is attended; a minute without any says that it is not. */
function followInput(): void {
  let timer: ReturnType<typeof setTimeout>;
  const noteInput = () => {
    idle.value = false;
    clearTimeout(timer);
    timer = setTimeout(() => {
      idle.value = true;
    }, IDLE_MS);
  };
  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel", "touchmove"])
    addEventListener(kind, noteInput, { passive: true, capture: true });
  noteInput();
}

/** The usual order of a list: open alerts by severity, closed ones by when they closed. */
export function usualSort(of: List): typeof DEFAULT_SORT {
  return of === "closed" ? { column: "age", descending: false } : DEFAULT_SORT;
}

export const isClosedList = computed(() => list.value === "closed");
export const USUAL_LIST = LIST_NAMES[0];
