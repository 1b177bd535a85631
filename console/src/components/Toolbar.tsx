import { useEffect, useRef, useState } from "preact/hooks";
import { countAlerts, type Verb } from "../actions";
import * as closed from "../closed";
import { type ColumnId, DEFAULT_COLUMNS, OPTIONAL_COLUMNS, titleOf } from "../columns";
import { toCsv } from "../csv";
import { beginAction, targets } from "../operate";
import * as state from "../state";
import { Icon } from "./Icon";

export const ACTIONS: readonly { verb: Verb; word: string; key: string }[] = [
  { verb: "acknowledge", word: "Acknowledge", key: "A" },
  { verb: "snooze", word: "Snooze", key: "S" },
  { verb: "handle", word: "Handle", key: "H" },
  { verb: "assign", word: "Assign", key: "G" },
  { verb: "comment", word: "Comment", key: "C" },
  { verb: "resolve", word: "Resolve", key: "R" },
];

/** The line over the table: what is shown, or what can be done with what was chosen. Its height never changes. */
export function Toolbar() {
  const count = state.selected.value.size;
  return (
    <div class="toolbar" role="toolbar" aria-label="Actions on alerts" data-testid="toolbar">
      {count > 0 ? <SelectionTools count={count} /> : <ListTools />}
    </div>
  );
}

function SelectionTools({ count }: { count: number }) {
  return (
    <>
      <h1 class="toolbar-count" data-testid="selected-count">
        {count.toLocaleString("en")} selected
      </h1>
      {state.list.value === "open" &&
        ACTIONS.map(({ verb, word, key }) => (
          <button
            key={verb}
            type="button"
            class={`button ${verb === "acknowledge" ? "button-first" : ""}`}
            title={`${word} (${key.toLowerCase()})`}
            data-testid={`do-${verb}`}
            onClick={() => beginAction(verb, targets(), verb !== "acknowledge")}
          >
            <Icon name={verb} />
            <span class="word">{word}</span>
          </button>
        ))}
      <span class="space" />
      <button
        type="button"
        class="button button-quiet"
        onClick={() => {
          state.selected.value = new Set();
        }}
      >
        Clear <kbd>Esc</kbd>
      </button>
    </>
  );
}

function ListTools() {
  const isOpen = state.list.value === "open";
  const count = state.shown.value.length;
  return (
    <>
      <h1 class="toolbar-count">{isOpen ? "Open alerts" : "Closed alerts"}</h1>
      <span class="toolbar-hint" role="status">
        {isOpen ? state.loaded.value && countAlerts(state.counters.value.total) : countAlerts(count)}
      </span>
      {!isOpen && count > 0 && closed.problem.value && <span class="problem">{closed.problem.value}</span>}
      {!isOpen && closed.hasMore.value && (
        <button type="button" class="button button-quiet" disabled={closed.loading.value} onClick={closed.readOlder}>
          Read older ones
        </button>
      )}
      <span class="space" />
      <ColumnMenu />
      <button
        type="button"
        class="icon-button"
        aria-label="Download the list as CSV"
        title="Download the list as CSV"
        data-testid="csv"
        onClick={download}
      >
        <Icon name="download" />
      </button>
    </>
  );
}

function download(): void {
  const alerts = state.shown.peek().flatMap((row) => (row.gone ? [] : [row.alert]));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([toCsv(alerts, state.columns.peek())], { type: "text/csv;charset=utf-8" }));
  link.download = `alerts-${new Date(state.serverNow()).toISOString().slice(0, 19).replaceAll(":", "-")}.csv`;
  link.click();
  // The download has its own hold on the data once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Which columns are shown; any label can be one. */
function ColumnMenu() {
  const details = useRef<HTMLDetailsElement>(null);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    if (!open) return;
    const closeOutside = (event: Event) => {
      if (!details.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", closeOutside);
    return () => document.removeEventListener("pointerdown", closeOutside);
  }, [open]);
  const columns = state.columns.value;
  const labels = columns.filter((column) => column.startsWith("label:"));
  return (
    <details
      ref={details}
      class="menu"
      open={open}
      onToggle={(event) => setOpen((event.currentTarget as HTMLDetailsElement).open)}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        setOpen(false);
        details.current?.querySelector("summary")?.focus();
      }}
    >
      <summary class="icon-button" aria-label="Columns" title="Columns" data-testid="columns">
        <Icon name="columns" />
      </summary>
      <div class="menu-body">
        {[...DEFAULT_COLUMNS, ...OPTIONAL_COLUMNS, ...labels].map((column) => (
          <label key={column} class="check">
            <input
              type="checkbox"
              checked={columns.includes(column)}
              disabled={column === "name"}
              onChange={() => switchColumn(column)}
            />
            {titleOf(column)}
          </label>
        ))}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const form = event.currentTarget as HTMLFormElement;
            const label = String(new FormData(form).get("label")).trim();
            if (label && !columns.includes(`label:${label}`)) switchColumn(`label:${label}`);
            form.reset();
          }}
        >
          <input name="label" list="label-names" placeholder="Add a label" aria-label="Label to show as a column" />
          <datalist id="label-names">{open && labelNames().map((name) => <option key={name} value={name} />)}</datalist>
        </form>
      </div>
    </details>
  );
}

/** Columns keep their usual order; labels follow in the order in which they were added. */
function switchColumn(column: ColumnId): void {
  const columns = state.columns.peek();
  const next = columns.includes(column) ? columns.filter((other) => other !== column) : [...columns, column];
  const usual = [...DEFAULT_COLUMNS, ...OPTIONAL_COLUMNS];
  const place = (id: ColumnId) => (usual.includes(id) ? usual.indexOf(id) : usual.length);
  state.columns.value = next.sort((a, b) => place(a) - place(b));
}

/** Names of labels, of the first rows: a suggestion, not a census. */
function labelNames(): string[] {
  const names = new Set<string>();
  for (const row of state.shown.peek().slice(0, 500))
    for (const name of Object.keys(row.alert.labels ?? {})) names.add(name);
  return [...names].sort();
}
