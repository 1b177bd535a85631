/**
 * The alerts the console knows and the rows it shows. Knowing and showing are apart: {@link applySnapshot} and
 * {@link applyDelta} change what is known and what stands in a row, but no row moves, comes or goes before
 * {@link settle}. So nothing jumps under the pointer, however fast the news come.
 */

import {
  type Alert,
  type Counters,
  type DeltaMessage,
  SEVERITIES,
  type Severity,
  type SnapshotMessage,
} from "../../protocol";
import { DEFAULT_SORT, type Sort, sortKey } from "./columns";
import { type Subject, Tally } from "./facets";

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
  /** Whether a silence matches it. */
  isSilenced: boolean;
  /** Closed, or no longer in the server's stream, but still standing where it stood. */
  removed: boolean;
  /** Whether it belongs to the list and the facets that are looked at. */
  passes: boolean;
  /** When it was placed; says which rows have just come. */
  placedAt: number;
}

export interface Board {
  rows: Map<string, Row>;
  /** The rows shown, from top to bottom. */
  order: Row[];
  /** Which of the alerts are to be shown. */
  passes: (subject: Subject) => boolean;
  /** Which of the alerts are silenced. */
  isSilenced: (alert: Alert) => boolean;
  /** How many alerts there are, by the values of their facets. */
  tally: Tally;
  /** Known, but not placed yet. */
  waiting: Set<Row>;
  /** Placed, but no longer where the order wants them. */
  misplaced: Set<Row>;
  /** Placed, and no longer to be shown. */
  leaving: Set<Row>;
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
    passes: () => true,
    isSilenced: () => false,
    tally: new Tally(),
    waiting: new Set(),
    misplaced: new Set(),
    leaving: new Set(),
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
  board.tally.clear();
  board.waiting.clear();
  board.misplaced.clear();
  board.leaving.clear();
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
  return row.removed ? alert.version >= row.alert.version : alert.version > row.alert.version;
}

function put(board: Board, alert: Alert): void {
  const row = board.rows.get(alert.fingerprint);
  const opened = Date.parse(alert.opened_at);
  const rank = SEVERITIES.indexOf(alert.severity);
  const key = sortKey(alert, board.sort.column);
  const isSilenced = board.isSilenced(alert);
  const passes = board.passes({ alert, isSilenced });
  board.tally.add({ alert, isSilenced }, 1);
  if (!row) {
    const id = alert.fingerprint;
    const place = { placed: false, removed: false, placedAt: 0 };
    const fresh: Row = { id, alert, opened, rank, key, isSilenced, passes, ...place };
    board.rows.set(id, fresh);
    if (passes) board.waiting.add(fresh);
    return;
  }
  if (!row.removed) board.tally.add(row, -1);
  const moves = key !== row.key || rank !== row.rank || opened !== row.opened;
  row.alert = alert;
  row.opened = opened;
  row.rank = rank;
  row.key = key;
  row.removed = false;
  row.isSilenced = isSilenced;
  row.passes = passes;
  if (row.placed && moves) board.misplaced.add(row);
  note(board, row);
}

function remove(board: Board, id: string): void {
  const row = board.rows.get(id);
  if (!row || row.removed) return;
  board.tally.add(row, -1);
  row.removed = true;
  if (!row.placed) board.rows.delete(id);
  note(board, row);
}

/** Whether a row stands in the table though it no longer belongs there. */
export function isLeaving(row: Row): boolean {
  return row.removed || !row.passes;
}

/** Note what the next settling has to do with a row. */
function note(board: Board, row: Row): void {
  const wanted = !isLeaving(row);
  if (row.placed && !wanted) board.leaving.add(row);
  else board.leaving.delete(row);
  if (!row.placed && wanted) board.waiting.add(row);
  else board.waiting.delete(row);
}

/** Bring what is shown in line with what is known. Answers whether any row came, went or moved. */
export function settle(board: Board, now: number): boolean {
  if (board.waiting.size + board.misplaced.size + board.leaving.size === 0) return false;
  const compare = comparison(board.sort);
  for (const row of board.leaving) {
    if (row.removed) board.rows.delete(row.id);
    row.placed = false;
    board.misplaced.delete(row);
  }
  const staying =
    board.leaving.size + board.misplaced.size === 0
      ? board.order
      : board.order.filter((row) => row.placed && !board.misplaced.has(row));
  for (const row of board.waiting) {
    row.placed = true;
    row.placedAt = now;
  }
  const coming = [...board.misplaced, ...board.waiting].sort(compare);
  board.order = merge(staying, coming, compare);
  board.waiting.clear();
  board.misplaced.clear();
  board.leaving.clear();
  return true;
}

/** Show other alerts of those that are known. */
export function setPasses(board: Board, passes: (subject: Subject) => boolean): void {
  board.passes = passes;
  for (const row of board.rows.values()) {
    row.passes = passes(row);
    note(board, row);
  }
  settle(board, 0);
}

/** Take other alerts for silenced; rows move when the board is settled. */
export function setSilenced(board: Board, isSilenced: (alert: Alert) => boolean): void {
  board.isSilenced = isSilenced;
  board.tally.clear();
  for (const row of board.rows.values()) {
    row.isSilenced = isSilenced(row.alert);
    row.passes = board.passes(row);
    if (!row.removed) board.tally.add(row, 1);
    note(board, row);
  }
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

/** How far the list has been read while it is being read: how many alerts are here, and of how many. */
export function progress(board: Board): { have: number; of: number } | null {
  return board.incoming && { have: board.incoming.size, of: Math.max(board.counters.total, board.incoming.size) };
}
