import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Icon } from "../../kit/Icon";
import { notifiesNoOne } from "../../site";
import { AlertRow } from "./AlertRow";
import { isLeaving, queued, type Row } from "./board";
import { type ColumnId, fitColumns, gridTemplate, sortAfterClick, titleOf } from "./columns";
import { EmptyTable } from "./EmptyTable";
import { showNew } from "./live";
import { clickRow, selectAll } from "./rows";
import * as state from "./store";
import { isPhone, rowHeight } from "./table-size";

/** Rows drawn beyond either edge, so that scrolling shows no gap. */
const OVERSCAN = 8;
/** How long a row that has just come is marked. */
const FRESH_MS = 3000;
/** What a phone sorts by; its rows have no columns. */
const PHONE_SORTS: readonly ColumnId[] = ["severity", "name", "age", "state"];

/** The table of alerts. Only the rows in sight are in the document. */
export function AlertTable() {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = state.shown.value;
  // Rows change in place; this says that they did.
  state.revision.value;
  const { first, visible, width, follow } = useWindow(scroller, rows);
  const start = Math.max(0, first - OVERSCAN);
  const drawn = rows.slice(start, first + visible + OVERSCAN);
  const wanted = state.columns.value;
  const columns = useMemo(() => fitColumns(wanted, width), [wanted, width]);
  const silenceOf = state.silenceOf.value;
  const phone = isPhone.value;
  const height = rowHeight.value;
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
        aria-colcount={phone ? 2 : columns.length + 1}
        aria-multiselectable="true"
        aria-activedescendant={state.cursorId.value ? `alert-${state.cursorId.value}` : undefined}
        data-testid="alerts"
        data-page-focus
        data-list-keys
        style={{ "--columns": gridTemplate(columns) }}
        onClick={clickRow}
      >
        <TableHead columns={phone ? PHONE_SORTS : columns} />
        <div class="rows" role="rowgroup" style={{ height: `${rows.length * height}px` }}>
          <div class="window" role="presentation" style={{ transform: `translateY(${start * height}px)` }}>
            {drawn.map((row, index) => (
              <AlertRow
                key={row.id}
                id={row.id}
                alert={row.alert}
                index={start + index}
                columns={columns}
                phone={phone}
                gone={isLeaving(row)}
                over={row.removed}
                silencedUntil={silenceOf(row.alert)?.ends_at ?? null}
                unnotified={row.alert.status === "open" && notifiesNoOne(row.alert.scenario)}
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
    const height = rowHeight.peek();
    const index = Math.floor(top / height);
    const row = state.shown.peek()[index];
    anchor.current = row && top > 0 ? { row, offset: top - index * height } : null;
    setFirst(index);
  };

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    element.addEventListener("scroll", remember, { passive: true });
    const observer = new ResizeObserver(() => {
      setVisible(Math.ceil(element.clientHeight / rowHeight.peek()));
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
    if (kept && index >= 0 && scroller.current) scroller.current.scrollTop = index * rowHeight.peek() + kept.offset;
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
    const row = rowHeight.peek();
    const head = element.querySelector(".head")?.clientHeight ?? row;
    const top = index * row;
    const room = element.clientHeight - head;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + row > element.scrollTop + room) element.scrollTop = top + row - room;
  };
  return { first, visible, width, follow };
}

/** Notes whether the pointer is in the table. A finger does not point. */
function usePointer(scroller: preact.RefObject<HTMLDivElement | null>) {
  useEffect(() => {
    const element = scroller.current?.parentElement;
    if (!element) return;
    const leave = () => {
      state.pointerInside.value = false;
    };
    const move = (event: PointerEvent) => {
      if (event.pointerType !== "touch") state.pointerInside.value = true;
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
            {column === "age" && state.isClosedList.value ? "Closed" : titleOf(column)}
            {sort.column === column && <Icon name={sort.descending ? "down" : "up"} />}
          </button>
        </div>
      ))}
    </div>
  );
}

/** How many rows wait for the reader to look away, or how far the list has been read. */
function QueueCounter() {
  state.revision.value;
  if (state.isClosedList.value) return null;
  const { count, worst } = queued(state.board);
  const loading = state.loading.value;
  if (count === 0 || !state.holding.value || (loading && !state.pointing.value)) return null;
  return (
    <button type="button" class={`queue sev-${worst}`} data-testid="queue" title="Show them (n)" onClick={showNew}>
      <i class="dot" aria-hidden="true" />
      <span aria-live="polite">
        {count.toLocaleString("en")} {loading ? "more" : "new"}
      </span>
    </button>
  );
}
