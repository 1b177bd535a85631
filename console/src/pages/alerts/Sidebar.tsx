import { useState } from "preact/hooks";
import { address } from "../../address";
import { useFocusInside } from "../../kit/focus";
import { Icon } from "../../kit/Icon";
import { IconButton } from "../../kit/IconButton";
import { loadList, save } from "../../kit/storage";
import { stale } from "../../session";
import { afterClick, FACET_NAMES, FACETS, type FacetName, LIST_NAMES, LISTS, type List } from "./facets";
import { readPlace, writePlace } from "./place";
import * as state from "./store";
import { STATE_ICONS, stateWord } from "./words";

/** The lists beside the table, the facets with how many alerts each value has, and kept views. */
export function Sidebar() {
  const isClosed = state.isClosedList.value;
  return (
    <nav class="sidebar" aria-label="Lists and filters">
      <ul class="facet">
        {LIST_NAMES.map((list) => (
          <ListButton key={list} list={list} />
        ))}
      </ul>
      {FACET_NAMES.map((name) => {
        // A list of one state has nothing to choose from; of closed alerts no state is known.
        if (name === "state" && (isClosed || LISTS[state.list.value].states.length === 1)) return null;
        return <Facet key={name} name={name} />;
      })}
      <Views />
    </nav>
  );
}

function ListButton({ list }: { list: List }) {
  // The board changes in place; this says that it did.
  state.revision.value;
  const isKnown = list !== "closed" && state.loaded.value && !stale.value;
  const count = isKnown ? state.board.tally.total(list, state.choice.value.facets) : null;
  const isCurrent = state.list.value === list;
  return (
    <li>
      <button
        type="button"
        class="facet-button list-button"
        aria-current={isCurrent ? "page" : undefined}
        data-testid={`list-${list}`}
        onClick={() => state.openList(list)}
      >
        <span class="facet-word">{LISTS[list].title}</span>
        {count !== null && (
          <span class="count" data-testid={`count-${list}`}>
            {count.toLocaleString("en")}
          </span>
        )}
      </button>
    </li>
  );
}

/** The values of a facet: a click shows only one, the button beside it all but one. */
function Facet({ name }: { name: FacetName }) {
  state.revision.value;
  const { title, values } = FACETS[name];
  const { facets } = state.choice.value;
  const chosen = facets[name];
  const list = state.list.value;
  const counts = list === "closed" ? null : state.board.tally.counts(name, list, facets);
  const listed = name === "state" ? LISTS[list].states : values;
  const known = [...(name === "environment" ? state.siteEnvironments.value : []), ...Object.keys(counts ?? {})];
  const others = [...new Set([...known, ...chosen.only, ...chosen.not])].filter((value) => !listed.includes(value));
  const all = [...listed, ...others.sort((a, b) => a.localeCompare(b))];
  if (all.length === 0) return null;
  const change = (next: typeof chosen) => {
    state.choice.value = { ...state.choice.peek(), facets: { ...facets, [name]: next } };
  };
  return (
    <section>
      <h2>
        {title}
        {chosen.only.length + chosen.not.length > 0 && (
          <button type="button" class="text-button" onClick={() => change({ only: [], not: [] })}>
            Clear
          </button>
        )}
      </h2>
      <ul class="facet">
        {all.map((value) => {
          const count = counts && (counts[value] ?? 0);
          const isExcluded = chosen.not.includes(value);
          return (
            <li key={value} class={`facet-line ${isExcluded ? "excluded" : ""}`}>
              <button
                type="button"
                class={`facet-button ${count === 0 ? "none" : ""}`}
                aria-pressed={chosen.only.includes(value)}
                data-testid={`${name}-${value}`}
                onClick={() => change(afterClick(chosen, value, false))}
              >
                <Mark name={name} value={value} />
                <span class="facet-word" dir="auto">
                  {wordOf(name, value)}
                </span>
                {count !== null && (
                  <span class="count" data-testid={`count-${name}-${value}`}>
                    {count.toLocaleString("en")}
                  </span>
                )}
              </button>
              <IconButton
                icon="exclude"
                label={`Exclude ${wordOf(name, value)}`}
                title={isExcluded ? "No longer exclude" : "Exclude"}
                testId={`exclude-${name}-${value}`}
                look="small exclude"
                isPressed={isExcluded}
                onClick={() => change(afterClick(chosen, value, true))}
              />
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function wordOf(name: FacetName, value: string): string {
  return name === "state" ? stateWord(value as keyof typeof STATE_ICONS) : value;
}

function Mark({ name, value }: { name: FacetName; value: string }) {
  if (name === "severity") return <i class={`dot sev-${value}`} aria-hidden="true" />;
  if (name === "state") return <Icon name={STATE_ICONS[value as keyof typeof STATE_ICONS] ?? "active"} />;
  return null;
}

/** Views that were kept under a name: what stood in the address then. */
function Views() {
  const [views, setViews] = useState(() => readViews());
  const [naming, setNaming] = useState(false);
  const keep = (next: View[]) => {
    setViews(next);
    save("views", JSON.stringify(next.map((view) => `${view.address}\n${view.name}`)));
  };
  return (
    <section>
      <h2>
        Views
        <button
          type="button"
          class="text-button"
          aria-expanded={naming}
          data-testid="keep-view"
          onClick={() => setNaming(!naming)}
        >
          Keep this
        </button>
      </h2>
      {naming && (
        <ViewForm
          onDone={(name) => {
            setNaming(false);
            if (!name) return;
            const kept = writePlace({ ...readPlace(address.peek()), alert: null });
            keep([...views.filter((view) => view.name !== name), { name, address: kept }]);
          }}
        />
      )}
      <ul class="facet">
        {views.map((view) => (
          <li key={view.name} class="view">
            <a class="facet-button" href={view.address} data-testid="view">
              <span class="facet-word" dir="auto">
                {view.name}
              </span>
            </a>
            <IconButton
              icon="close"
              label={`Forget the view ${view.name}`}
              look="small"
              onClick={() => keep(views.filter((other) => other !== view))}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

function ViewForm({ onDone }: { onDone: (name: string | null) => void }) {
  const input = useFocusInside<HTMLInputElement>();
  return (
    <form
      class="view-form"
      onSubmit={(event) => {
        event.preventDefault();
        onDone(input.current?.value.trim() || null);
      }}
    >
      <input
        ref={input}
        name="name"
        type="text"
        maxLength={40}
        placeholder="Name, then Enter"
        aria-label="Name of the view"
        dir="auto"
        data-testid="view-name"
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.stopPropagation();
          onDone(null);
        }}
      />
    </form>
  );
}

interface View {
  name: string;
  address: string;
}

function readViews(): View[] {
  return (loadList("views") ?? []).flatMap((text) => {
    const end = text.indexOf("\n");
    const kept = text.slice(0, end);
    return kept.startsWith("/alerts") ? [{ address: kept, name: text.slice(end + 1) }] : [];
  });
}
