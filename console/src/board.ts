/**
 * The alerts the console knows and the rows it shows. Knowing and showing are apart: {@link applySnapshot} and
 * {@link applyDelta} change what is known and what stands in a row, but no row moves, comes or goes before
 * {@link settle}. So nothing jumps under the pointer, however fast the news come.
 */
import { DEFAULT_SORT, type Sort, sortKey } from "./columns";
import {
  type Alert,
  type Counters,
  type DeltaMessage,
  SEVERITIES,
  type Severity,
  type SnapshotMessage,
} from "./protocol";

export interface Row {
  readonly id: string;
  alert: Alert;
  /** When it opened, in milliseconds, as the times' texts do not compare. */
  opened: number;
  /** The severity's number. */
  rank: number;
  key: number | string;
  /** Stands in {@link Board.order}. */
  placed: boolean;
  /** Closed or filtered out, but still standing where it stood. */
  gone: boolean;
  /** When it was placed; says which rows have just come. */
  placedAt: number;
}

export interface Board {
  rows: Map<string, Row>;
  /** The rows shown, from top to bottom. */
  order: Row[];
  /** Known, but not placed yet. */
  waiting: Set<Row>;
  /** Placed, but no longer where the order wants them. */
  misplaced: Set<Row>;
  /** Placed, and gone since. */
  gone: Set<Row>;
  sort: Sort;
  counters: Counters;
  /** Where the stream stands; none before the first snapshot is complete. */
  cursor: string | null;
  /** Ids of the snapshot that is coming in. */
  incoming: Set<string> | null;
}

const NO_COUNTERS: Counters = { total: 0, by_severity: {}, by_state: {}, by_environment: {} };

export function newBoard(sort: Sort = DEFAULT_SORT): Board {
  return {
    rows: new Map(),
    order: [],
    waiting: new Set(),
    misplaced: new Set(),
    gone: new Set(),
    sort,
    counters: NO_COUNTERS,
    cursor: null,
    incoming: null,
  };
}

/** Forget all rows; what the stream says next is another list. */
export function clear(board: Board): void {
  board.rows.clear();
  board.order = [];
  board.waiting.clear();
  board.misplaced.clear();
  board.gone.clear();
  board.incoming = null;
  board.cursor = null;
}

/** A broken line ends an unfinished snapshot; the next one starts anew. */
export function abandonSnapshot(board: Board): void {
  board.incoming = null;
}

/** Take a part of a snapshot. The last part removes what no part has named. */
export function applySnapshot(board: Board, message: SnapshotMessage): void {
  if (message.first || !board.incoming) {
    board.incoming = new Set();
    board.cursor = null;
  }
  for (const alert of message.alerts) {
    board.incoming.add(alert.fingerprint);
    // A snapshot is the truth even when its versions are lower: the server may have been set up anew.
    put(board, alert);
  }
  board.counters = message.counters;
  if (!message.complete) return;
  for (const id of [...board.rows.keys()]) if (!board.incoming.has(id)) remove(board, id);
  board.incoming = null;
  board.cursor = message.cursor;
}

/** Take what has changed. */
export function applyDelta(board: Board, message: DeltaMessage): void {
  for (const alert of message.changed) {
    board.incoming?.add(alert.fingerprint);
    if (isNews(board, alert)) put(board, alert);
  }
  for (const id of message.removed) {
    board.incoming?.delete(id);
    remove(board, id);
  }
  board.counters = message.counters;
  if (!board.incoming) board.cursor = message.cursor;
}

/** Take the answer to an action ahead of the stream; alerts that are not shown stay so. */
export function applyAnswer(board: Board, alert: Alert): void {
  if (!board.rows.has(alert.fingerprint) || !isNews(board, alert)) return;
  put(board, alert);
  if (alert.status === "closed") remove(board, alert.fingerprint);
}

function isNews(board: Board, alert: Alert): boolean {
  const row = board.rows.get(alert.fingerprint);
  if (!row) return true;
  // What had left the filter may come back as it was.
  return row.gone ? alert.version >= row.alert.version : alert.version > row.alert.version;
}

function put(board: Board, alert: Alert): void {
  const row = board.rows.get(alert.fingerprint);
  const opened = Date.parse(alert.opened_at);
  const rank = SEVERITIES.indexOf(alert.severity);
  const key = sortKey(alert, board.sort.column);
  if (!row) {
    const fresh: Row = { id: alert.fingerprint, alert, opened, rank, key, placed: false, gone: false, placedAt: 0 };
    board.rows.set(fresh.id, fresh);
    board.waiting.add(fresh);
    return;
  }
  const moves = key !== row.key || rank !== row.rank || opened !== row.opened;
  row.alert = alert;
  row.opened = opened;
  row.rank = rank;
  row.key = key;
  if (row.gone) {
    row.gone = false;
    board.gone.delete(row);
  }
  if (row.placed && moves) board.misplaced.add(row);
}

function remove(board: Board, id: string): void {
  const row = board.rows.get(id);
  if (!row || row.gone) return;
  if (!row.placed) {
    board.rows.delete(id);
    board.waiting.delete(row);
    return;
  }
  row.gone = true;
  board.gone.add(row);
}

/** Bring what is shown in line with what is known. Answers whether any row came, went or moved. */
export function settle(board: Board, now: number): boolean {
  if (board.waiting.size + board.misplaced.size + board.gone.size === 0) return false;
  const compare = comparison(board.sort);
  for (const row of board.gone) {
    board.rows.delete(row.id);
    board.misplaced.delete(row);
  }
  const staying =
    board.gone.size + board.misplaced.size === 0
      ? board.order
      : board.order.filter((row) => !row.gone && !board.misplaced.has(row));
  for (const row of board.waiting) {
    row.placed = true;
    row.placedAt = now;
  }
  const coming = [...board.misplaced, ...board.waiting].sort(compare);
  board.order = merge(staying, coming, compare);
  board.waiting.clear();
  board.misplaced.clear();
  board.gone.clear();
  return true;
}

/** Show another order. */
export function setSort(board: Board, sort: Sort): void {
  board.sort = sort;
  for (const row of board.rows.values()) row.key = sortKey(row.alert, sort.column);
  board.order = [...board.order].sort(comparison(sort));
  board.misplaced.clear();
}

/** By the column, then the worst severity, then the newest; the id makes the order total. */
export function comparison(sort: Sort): (a: Row, b: Row) => number {
  const way = sort.descending ? -1 : 1;
  return (a, b) => {
    if (a.key !== b.key) return a.key < b.key ? -way : way;
    if (a.rank !== b.rank) return b.rank - a.rank;
    if (a.opened !== b.opened) return b.opened - a.opened;
    return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
  };
}

function merge(left: Row[], right: Row[], compare: (a: Row, b: Row) => number): Row[] {
  if (right.length === 0) return left;
  const merged: Row[] = new Array(left.length + right.length);
  let l = 0;
  let r = 0;
  for (let i = 0; i < merged.length; i++) {
    const a = left[l];
    const b = right[r];
    if (b === undefined || (a !== undefined && compare(a, b) <= 0)) {
      merged[i] = a as Row;
      l++;
    } else {
      merged[i] = b;
      r++;
    }
  }
  return merged;
}

/** How many rows wait behind the counter, and how bad the worst of them is. */
export function queued(board: Board): { count: number; worst: Severity | null } {
  let worst = -1;
  for (const { rank } of board.waiting) worst = Math.max(worst, rank);
  return { count: board.waiting.size, worst: SEVERITIES[worst] ?? null };
}
