import { useId, useRef, useState } from "preact/hooks";
import { Icon } from "../../kit/Icon";
import { IconButton } from "../../kit/IconButton";
import { serverNow, stale } from "../../session";
import { countAlerts } from "./actions";
import { alarmOn, switchAlarm } from "./alarm";
import * as closed from "./closed";
import { type ColumnId, DEFAULT_COLUMNS, OPTIONAL_COLUMNS, titleOf } from "./columns";
import { toCsv } from "./csv";
import { LISTS } from "./facets";
import { beginAction, targets } from "./operate";
import { silenceTargets } from "./silence";
import * as state from "./store";
import { VERB_NAMES, VERBS } from "./verbs";

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
      {!state.isClosedList.value &&
        VERB_NAMES.map((verb) => (
          <button
            key={verb}
            type="button"
            class={`button ${verb === VERB_NAMES[0] ? "button-first" : ""}`}
            title={`${VERBS[verb].title} (${VERBS[verb].key})`}
            aria-label={VERBS[verb].title}
            data-testid={`do-${verb}`}
            onClick={() => beginAction(verb, targets(), false)}
          >
            <Icon name={VERBS[verb].icon} />
            <span class="word">{VERBS[verb].title}</span>
          </button>
        ))}
      <button
        type="button"
        class="button"
        title="Silence (m)"
        aria-label="Silence"
        data-testid="do-silence"
        onClick={() => silenceTargets(targets())}
      >
        <Icon name="silence" />
        <span class="word">Silence</span>
      </button>
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
  // The board changes in place; this says that it did.
  state.revision.value;
  const list = state.list.value;
  const isOpen = list !== "closed";
  const count = state.shown.value.length;
  return (
    <>
      <h1 class="toolbar-count">{LISTS[list].title}</h1>
      <span class="toolbar-hint" role="status" data-testid="total">
        {isOpen ? totalText() : countAlerts(count)}
      </span>
      {!isOpen && count > 0 && closed.problem.value && <span class="problem">{closed.problem.value}</span>}
      {!isOpen && closed.hasMore.value && (
        <button type="button" class="button button-quiet" disabled={closed.loading.value} onClick={closed.readOlder}>
          Read older ones
        </button>
      )}
      <span class="space" />
      <IconButton
        icon="bell"
        label="Call with sound and notifications"
        title={alarmOn.value ? "Calls with sound and notifications" : "Call with sound and notifications"}
        testId="alarm"
        isPressed={alarmOn.value}
        onClick={() => void switchAlarm(!alarmOn.peek())}
      />
      <ColumnMenu />
      <IconButton
        icon="download"
        label="Download the list as CSV"
        title="Download the list as CSV"
        testId="csv"
        onClick={download}
      />
    </>
  );
}

/** How many there are; how far they have been read; nothing when that is not known. */
function totalText(): string {
  const loading = state.loading.value;
  if (loading && loading.have < loading.of)
    return `loading ${loading.have.toLocaleString("en")} of ${loading.of.toLocaleString("en")}`;
  if (!state.loaded.value || stale.value) return "";
  return countAlerts(state.board.tally.total(state.list.value, state.choice.value.facets));
}

function download(): void {
  const alerts = state.shown.peek().flatMap((row) => (row.removed ? [] : [row.alert]));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([toCsv(alerts, state.columns.peek())], { type: "text/csv;charset=utf-8" }));
  link.download = `alerts-${new Date(serverNow()).toISOString().slice(0, 19).replaceAll(":", "-")}.csv`;
  link.click();
  // The download has its own hold on the data once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Which columns are shown; any label can be one. */
function ColumnMenu() {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const columns = state.columns.value;
  const labels = columns.filter((column) => column.startsWith("label:"));
  return (
    <div class="menu wide-only">
      <button
        ref={button}
        type="button"
        class="icon-button"
        aria-label="Columns"
        title="Columns"
        popovertarget={id}
        data-testid="columns"
      >
        <Icon name="columns" />
      </button>
      <div
        id={id}
        popover="auto"
        class="menu-body"
        onBeforeToggle={(event) => {
          const box = button.current?.getBoundingClientRect();
          const menu = event.currentTarget as HTMLElement;
          if (!box) return;
          menu.style.top = `${box.bottom + 4}px`;
          menu.style.right = `${document.documentElement.clientWidth - box.right}px`;
          setOpen(event.newState === "open");
        }}
      >
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
    </div>
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
