import { useState } from "preact/hooks";
import { OPERATOR_STATES, type OperatorState, SEVERITIES } from "../protocol";
import * as state from "../state";
import { loadList, save } from "../storage";
import { Icon } from "./Icon";
import { stateWord } from "./words";

/** The lists beside the table: which alerts, how many by severity, state and environment, and kept views. */
export function Sidebar({ onChosen }: { onChosen: () => void }) {
  const { severities, states, environments } = state.choice.value;
  const counters = state.counters.value;
  const isOpen = state.list.value === "open";
  const change = (part: Partial<typeof state.choice.value>) => {
    state.choice.value = { ...state.choice.peek(), ...part };
    onChosen();
  };
  const names = new Set([...state.siteEnvironments.value, ...Object.keys(counters.by_environment), ...environments]);
  return (
    <nav class="sidebar" aria-label="Lists and filters">
      <ul class="facet">
        <ListButton list="open" title="Open" count={state.loaded.value ? counters.total : null} />
        <ListButton list="closed" title="Closed" count={null} />
      </ul>
      <Facet
        title="Severity"
        name="severity"
        all={[...SEVERITIES].reverse()}
        chosen={severities}
        counts={isOpen ? counters.by_severity : null}
        word={(severity) => severity}
        mark={(severity) => <i class={`dot sev-${severity}`} aria-hidden="true" />}
        onChange={(chosen) => change({ severities: chosen })}
      />
      {isOpen && (
        <Facet
          title="State"
          name="state"
          all={[...OPERATOR_STATES]}
          chosen={states}
          counts={counters.by_state}
          word={stateWord}
          mark={(operatorState) => <Icon name={STATE_ICONS[operatorState]} />}
          onChange={(chosen) => change({ states: chosen })}
        />
      )}
      <Facet
        title="Environment"
        name="environment"
        all={[...names].sort((a, b) => a.localeCompare(b))}
        chosen={environments}
        counts={isOpen ? counters.by_environment : null}
        word={(environment) => environment}
        mark={() => null}
        onChange={(chosen) => change({ environments: chosen })}
      />
      <Views />
    </nav>
  );
}

export const STATE_ICONS = {
  active: "active",
  snoozed: "snooze",
  acknowledged: "acknowledge",
  in_downtime: "downtime",
  assigned: "assign",
  handled: "handle",
} as const satisfies Record<OperatorState, string>;

function ListButton({ list, title, count }: { list: "open" | "closed"; title: string; count: number | null }) {
  return (
    <li>
      <button
        type="button"
        class="facet-button list-button"
        aria-current={state.list.value === list ? "page" : undefined}
        data-testid={`list-${list}`}
        onClick={() => {
          if (state.list.peek() === list) return;
          state.selected.value = new Set();
          state.cursorId.value = null;
          state.openedId.value = null;
          state.sort.value = state.usualSort(list);
          state.list.value = list;
        }}
      >
        <span class="facet-word">{title}</span>
        {count !== null && (
          <span class="count" data-testid="total">
            {count.toLocaleString("en")}
          </span>
        )}
      </button>
    </li>
  );
}

interface FacetProperties<T extends string> {
  title: string;
  name: string;
  all: T[];
  chosen: T[];
  /** How many there are of each; null where nobody counts. */
  counts: Record<string, number> | null;
  word: (value: T) => string;
  mark: (value: T) => preact.ComponentChild;
  onChange: (chosen: T[]) => void;
}

function Facet<T extends string>({ title, name, all, chosen, counts, word, mark, onChange }: FacetProperties<T>) {
  if (all.length === 0) return null;
  return (
    <section>
      <h2>
        {title}
        {chosen.length > 0 && (
          <button type="button" class="text-button" onClick={() => onChange([])}>
            Clear
          </button>
        )}
      </h2>
      <ul class="facet">
        {all.map((value) => {
          const isChosen = chosen.includes(value);
          // While some are chosen the others are not in the count: better no number than a wrong one.
          const count = counts && (chosen.length === 0 || isChosen) ? (counts[value] ?? 0) : null;
          return (
            <li key={value}>
              <button
                type="button"
                class={`facet-button ${count === 0 ? "none" : ""}`}
                aria-pressed={isChosen}
                data-testid={`${name}-${value}`}
                onClick={() => onChange(isChosen ? chosen.filter((other) => other !== value) : [...chosen, value])}
              >
                {mark(value)}
                <span class="facet-word">{word(value)}</span>
                {count !== null && <span class="count">{count.toLocaleString("en")}</span>}
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** Views that were kept under a name: what stood in the address then. */
function Views() {
  const [views, setViews] = useState(() => readViews());
  const [naming, setNaming] = useState(false);
  const keep = (next: View[]) => {
    setViews(next);
    save("views", JSON.stringify(next.map((view) => `${view.hash}\n${view.name}`)));
  };
  return (
    <section>
      <h2>
        Views
        <button type="button" class="text-button" aria-expanded={naming} onClick={() => setNaming(!naming)}>
          Keep this
        </button>
      </h2>
      {naming && (
        <form
          class="view-form"
          onSubmit={(event) => {
            event.preventDefault();
            const name = String(new FormData(event.currentTarget as HTMLFormElement).get("name")).trim();
            if (!name) return;
            keep([...views.filter((view) => view.name !== name), { name, hash: withoutAlert(location.hash) }]);
            setNaming(false);
          }}
        >
          <input name="name" type="text" maxLength={40} placeholder="Name" aria-label="Name of the view" autofocus />
        </form>
      )}
      <ul class="facet">
        {views.map((view) => (
          <li key={view.name} class="view">
            <a class="facet-button" href={view.hash || "#list=open"}>
              <span class="facet-word">{view.name}</span>
            </a>
            <button
              type="button"
              class="icon-button small"
              aria-label={`Forget the view ${view.name}`}
              onClick={() => keep(views.filter((other) => other !== view))}
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface View {
  name: string;
  hash: string;
}

function readViews(): View[] {
  return (loadList("views") ?? []).map((text) => {
    const end = text.indexOf("\n");
    return { hash: text.slice(0, end), name: text.slice(end + 1) };
  });
}

function withoutAlert(hash: string): string {
  return hash.replace(/([#&])alert=[0-9a-f]*&?/, "$1").replace(/[#&]$/, "");
}
