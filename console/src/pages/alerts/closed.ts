/** The list of the alerts that have closed, page by page. It does not change by itself. */
import { computed, effect, signal, untracked } from "@preact/signals";
import { ApiError, readClosed } from "../../api";
import type { Alert, Counters, Filter } from "../../protocol";
import { applySnapshot, newBoard, setSort, settle } from "./board";
import * as state from "./store";

const NO_COUNTERS: Counters = { total: 0, by_severity: {}, by_state: {}, by_environment: {} };

const alerts = signal<Alert[]>([]);
const nextCursor = signal<string | null>(null);
let request: AbortController | null = null;

export const loading = signal(false);
export const problem = signal<string | null>(null);
export const hasMore = computed(() => nextCursor.value !== null);

/** Read the next older page. */
export function readOlder(): void {
  void read(state.closedFilter.peek() ?? {}, nextCursor.peek());
}

async function read(filter: Filter, cursor: string | null): Promise<void> {
  request?.abort();
  const mine = new AbortController();
  request = mine;
  loading.value = true;
  problem.value = null;
  try {
    const page = await readClosed(filter, cursor, mine.signal);
    alerts.value = cursor === null ? page.alerts : [...alerts.peek(), ...page.alerts];
    nextCursor.value = page.next_cursor ?? null;
  } catch (error) {
    if (mine.signal.aborted) return;
    problem.value = error instanceof ApiError ? error.message : String(error);
  }
  loading.value = false;
}

/** Take the answer to an action. */
export function closedChanged(alert: Alert): void {
  const known = alerts.peek();
  if (!known.some((other) => other.fingerprint === alert.fingerprint)) return;
  alerts.value = known.flatMap((other) =>
    other.fingerprint !== alert.fingerprint ? [other] : alert.status === "closed" ? [alert] : [],
  );
}

export function startClosed(): void {
  effect(() => {
    const filter = state.closedFilter.value;
    if (state.list.value === "closed" && filter) untracked(() => void read(filter, null));
  });
  effect(() => {
    if (state.list.value !== "closed") return;
    const board = newBoard();
    applySnapshot(board, {
      type: "snapshot",
      cursor: "",
      alerts: alerts.value,
      first: true,
      complete: true,
      counters: NO_COUNTERS,
    });
    settle(board, 0);
    setSort(board, state.sort.value);
    state.shown.value = board.order;
  });
}
