import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { queued, type Row } from "../board";
import { type ColumnId, fitColumns, gridTemplate, sortAfterClick, titleOf } from "../columns";
import { showNew } from "../live";
import { keyboardUsed } from "../operate";
import { extend, toggle } from "../selection";
import * as state from "../state";
import { AlertRow } from "./AlertRow";
import { EmptyTable } from "./EmptyTable";
import { Icon } from "./Icon";

/** As in the style sheet. */
const ROW_HEIGHT = 34;
/** Rows drawn beyond either edge, so that scrolling shows no gap. */
const OVERSCAN = 8;
/** How long a row that has just come is marked. */
const FRESH_MS = 3000;
/** A pointer that rests this long is taken for one that was left lying there. */
const RESTING_MS = 60_000;

/** The table of alerts. Only the rows in sight are in the document. */
export function AlertTable() {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = state.shown.value;
  // Rows change in place; this is what tells.
  state.revision.value;
  const { first, visible, width, follow } = useWindow(scroller, rows);
  const start = Math.max(0, first - OVERSCAN);
  const drawn = rows.slice(start, first + visible + OVERSCAN);
  const wanted = state.columns.value;
  const columns = useMemo(() => fitColumns(wanted, width), [wanted, width]);
  const selected = state.selected.value;
  const now = Date.now();
  usePointer(scroller);
  useCursorInSight(follow);

  return (
    <div class="table-area">
      <QueueCounter />
      <div
        ref={scroller}
        id="alerts"
        class="table"
        role="grid"
        tabIndex={0}
        aria-label="Alerts"
        aria-rowcount={rows.length + 1}
        aria-colcount={columns.length + 1}
        aria-multiselectable="true"
        aria-activedescendant={state.cursorId.value ? `alert-${state.cursorId.value}` : undefined}
        data-testid="alerts"
        style={{ "--columns": gridTemplate(columns) }}
        onClick={onClick}
      >
        <TableHead columns={columns} />
        <div class="rows" role="rowgroup" style={{ height: `${rows.length * ROW_HEIGHT}px` }}>
          <div class="window" role="presentation" style={{ transform: `translateY(${start * ROW_HEIGHT}px)` }}>
            {drawn.map((row, index) => (
              <AlertRow
                key={row.id}
                id={row.id}
                alert={row.alert}
                index={start + index}
                columns={columns}
                gone={row.gone}
                fresh={now - row.placedAt < FRESH_MS}
                selected={selected.has(row.id)}
                current={state.cursorId.value === row.id}
                opened={state.openedId.value === row.id}
              />
            ))}
          </div>
        </div>
        {rows.length === 0 && <EmptyTable />}
      </div>
    </div>
  );
}

/** Which rows are in sight; keeps the first of them where it is when rows come or go above it. */
function useWindow(scroller: preact.RefObject<HTMLDivElement | null>, rows: Row[]) {
  const [first, setFirst] = useState(0);
  const [visible, setVisible] = useState(40);
  const [width, setWidth] = useState(Number.POSITIVE_INFINITY);
  const anchor = useRef<{ row: Row; offset: number } | null>(null);
  const drawnRows = useRef(rows);

  const remember = () => {
    const top = scroller.current?.scrollTop ?? 0;
    const index = Math.floor(top / ROW_HEIGHT);
    const row = state.shown.peek()[index];
    anchor.current = row && top > 0 ? { row, offset: top - index * ROW_HEIGHT } : null;
    setFirst(index);
  };

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    element.addEventListener("scroll", remember, { passive: true });
    const observer = new ResizeObserver(() => {
      setVisible(Math.ceil(element.clientHeight / ROW_HEIGHT));
      setWidth(element.clientWidth);
    });
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", remember);
      observer.disconnect();
    };
  }, []);

  useLayoutEffect(() => {
    if (drawnRows.current === rows) return;
    drawnRows.current = rows;
    const kept = anchor.current;
    const index = kept ? rows.indexOf(kept.row) : -1;
    if (kept && index >= 0 && scroller.current) scroller.current.scrollTop = index * ROW_HEIGHT + kept.offset;
    remember();
  }, [rows]);

  const toTop = state.toTop.value;
  useLayoutEffect(() => {
    anchor.current = null;
    if (scroller.current) scroller.current.scrollTop = 0;
  }, [toTop]);

  const follow = (index: number) => {
    const element = scroller.current;
    if (!element) return;
    const head = ROW_HEIGHT;
    const top = index * ROW_HEIGHT;
    const height = element.clientHeight - head;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + ROW_HEIGHT > element.scrollTop + height) element.scrollTop = top + ROW_HEIGHT - height;
  };
  return { first, visible, width, follow };
}

/** Notes whether somebody points at the table. A finger does not point, and a resting pointer was left there. */
function usePointer(scroller: preact.RefObject<HTMLDivElement | null>) {
  useEffect(() => {
    const element = scroller.current?.parentElement;
    if (!element) return;
    let timer: ReturnType<typeof setTimeout>;
    const leave = () => {
      clearTimeout(timer);
      state.pointerInside.value = false;
    };
    const move = (event: PointerEvent) => {
      if (event.pointerType === "touch") return;
      state.pointerInside.value = true;
      clearTimeout(timer);
      timer = setTimeout(leave, RESTING_MS);
    };
    element.addEventListener("pointermove", move, { passive: true });
    element.addEventListener("pointerenter", move, { passive: true });
    element.addEventListener("pointerleave", leave);
    return () => {
      leave();
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerenter", move);
      element.removeEventListener("pointerleave", leave);
    };
  }, []);
}

function useCursorInSight(follow: (index: number) => void) {
  const id = state.cursorId.value;
  useLayoutEffect(() => {
    const index = id === null ? -1 : state.shown.peek().findIndex((row) => row.id === id);
    if (index >= 0) follow(index);
  }, [id]);
}

function onClick(event: MouseEvent): void {
  const target = event.target as HTMLElement;
  const id = target.closest<HTMLElement>("[data-id]")?.dataset.id;
  if (id === undefined) return;
  const order = () => state.shown.peek().map((row) => row.id);
  keyboardUsed();
  if (event.shiftKey) {
    state.selected.value = extend(state.selected.peek(), order(), state.anchorId.peek() ?? state.cursorId.peek(), id);
    getSelection()?.removeAllRanges();
  } else if (target.closest(".cell-check") || event.ctrlKey || event.metaKey) {
    state.selected.value = toggle(state.selected.peek(), id);
  } else if (getSelection()?.isCollapsed !== false) {
    state.openedId.value = state.openedId.peek() === id ? null : id;
  }
  state.anchorId.value = id;
  state.cursorId.value = id;
}

function TableHead({ columns }: { columns: readonly ColumnId[] }) {
  const sort = state.sort.value;
  const count = state.selected.value.size;
  const all = state.shown.value.length;
  return (
    <div class="head" role="row" aria-rowindex={1}>
      <div class="cell cell-check" role="columnheader">
        <input
          type="checkbox"
          aria-label="Select all alerts shown"
          data-testid="select-all"
          checked={count > 0 && count >= all}
          ref={(box) => {
            if (box) box.indeterminate = count > 0 && count < all;
          }}
          onClick={() => selectAll(count === 0)}
        />
      </div>
      {columns.map((column) => (
        <div
          key={column}
          class={`cell cell-${column.split(":")[0]}`}
          role="columnheader"
          aria-sort={sort.column !== column ? "none" : sort.descending ? "descending" : "ascending"}
        >
          <button
            type="button"
            class="sort-button"
            data-testid={`sort-${column}`}
            onClick={() => {
              state.sort.value = sortAfterClick(sort, column);
            }}
          >
            {column === "age" && state.list.value === "closed" ? "Closed" : titleOf(column)}
            {sort.column === column && <Icon name={sort.descending ? "down" : "up"} />}
          </button>
        </div>
      ))}
    </div>
  );
}

/** Choose all rows that are shown, or none. */
export function selectAll(all: boolean): void {
  state.selected.value = new Set(
    all
      ? state.shown
          .peek()
          .filter((row) => !row.gone)
          .map((row) => row.id)
      : [],
  );
}

function QueueCounter() {
  state.revision.value;
  if (state.list.value !== "open") return null;
  const { count, worst } = queued(state.board);
  if (count === 0 || !state.holding.value) return null;
  return (
    <button type="button" class={`queue sev-${worst}`} data-testid="queue" title="Show them (n)" onClick={showNew}>
      <i class="dot" aria-hidden="true" />
      <span aria-live="polite">{count.toLocaleString("en")} new</span>
    </button>
  );
}
