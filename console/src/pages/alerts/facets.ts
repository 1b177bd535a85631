/**
 * The lists of alerts and the facets by which they are narrowed: one table of each. Both are looked at here and not by the
 * server, which sends all open alerts that pass the filter box: so every facet can be counted without itself, and a click
 * shows its rows at once.
 */
import { type Alert, OPERATOR_STATES, SEVERITIES } from "../../protocol";

/** What an open alert is taken for: silenced when no operator has taken it and a silence matches it. */
export const STATES = ["active", "silenced", ...OPERATOR_STATES.slice(1)] as const;
export type State = Alert["operator_state"] | "silenced";

export const LIST_NAMES = ["attention", "acknowledged", "snoozed", "silenced", "open", "closed"] as const;
export type List = (typeof LIST_NAMES)[number];

/** The lists. The first is the usual one; the title of the page counts it. */
export const LISTS: Record<List, { title: string; empty: string; states: readonly State[] }> = {
  attention: { title: "Needs attention", empty: "No alert needs attention.", states: ["active"] },
  acknowledged: {
    title: "Acknowledged",
    empty: "No open alert is acknowledged, assigned or handled.",
    states: ["acknowledged", "assigned", "handled"],
  },
  snoozed: {
    title: "Snoozed",
    empty: "No open alert is snoozed or in downtime.",
    states: ["snoozed", "in_downtime"],
  },
  silenced: { title: "Silenced", empty: "No open alert is silenced.", states: ["silenced"] },
  open: { title: "All open", empty: "All is quiet: no open alert.", states: STATES as readonly State[] },
  closed: { title: "Closed", empty: "No alert has closed yet.", states: [] },
};

export const FACET_NAMES = ["severity", "state", "environment"] as const;
export type FacetName = (typeof FACET_NAMES)[number];

/** An open alert, and whether a silence matches it. */
export interface Subject {
  alert: Alert;
  isSilenced: boolean;
}

/** What a subject is taken for. */
export function stateOf({ alert, isSilenced }: Subject): State {
  return isSilenced && alert.operator_state === "active" ? "silenced" : alert.operator_state;
}

interface FacetSpec {
  title: string;
  valueOf: (subject: Subject) => string;
  /** The values that are always offered, in order; others follow by name. */
  values: readonly string[];
}

export const FACETS: Record<FacetName, FacetSpec> = {
  severity: { title: "Severity", valueOf: ({ alert }) => alert.severity, values: [...SEVERITIES].reverse() },
  state: { title: "State", valueOf: stateOf, values: STATES },
  environment: { title: "Environment", valueOf: ({ alert }) => alert.environment, values: [] },
};

/** What is chosen of one facet: an empty `only` asks nothing. */
export interface Chosen {
  only: readonly string[];
  not: readonly string[];
}

export type Facets = Record<FacetName, Chosen>;

const NOTHING: Chosen = { only: [], not: [] };
export const NO_FACETS: Facets = { severity: NOTHING, state: NOTHING, environment: NOTHING };

/** Whether any facet asks for something. */
export function areFacetsChosen(facets: Facets): boolean {
  return FACET_NAMES.some((name) => facets[name].only.length + facets[name].not.length > 0);
}

/** The facets after a click on a value: chosen or no longer, or excluded or no longer. */
export function afterClick(chosen: Chosen, value: string, exclude: boolean): Chosen {
  const key = exclude ? "not" : "only";
  const other = exclude ? "only" : "not";
  const without = (values: readonly string[]) => values.filter((known) => known !== value);
  const next = chosen[key].includes(value) ? without(chosen[key]) : [...chosen[key], value];
  return { ...chosen, [key]: next, [other]: without(chosen[other]) } as Chosen;
}

function passesOne({ only, not }: Chosen, value: string): boolean {
  return (only.length === 0 || only.includes(value)) && !not.includes(value);
}

/** Whether an alert belongs to a list and passes the facets. */
export function passing(list: List, facets: Facets): (subject: Subject) => boolean {
  const { states } = LISTS[list];
  return (subject) =>
    states.includes(stateOf(subject)) &&
    FACET_NAMES.every((name) => passesOne(facets[name], FACETS[name].valueOf(subject)));
}

interface Cell {
  values: Record<FacetName, string>;
  count: number;
}

/** How many alerts there are of each combination of the facets' values: few cells, however many alerts. */
export class Tally {
  private readonly cells = new Map<string, Cell>();

  add(subject: Subject, by: 1 | -1): void {
    const values = {} as Record<FacetName, string>;
    for (const name of FACET_NAMES) values[name] = FACETS[name].valueOf(subject);
    const key = JSON.stringify(values);
    const cell = this.cells.get(key);
    const count = (cell?.count ?? 0) + by;
    if (count === 0) this.cells.delete(key);
    else if (cell) cell.count = count;
    else this.cells.set(key, { values, count });
  }

  clear(): void {
    this.cells.clear();
  }

  /** How many alerts of a list pass the facets. */
  total(list: List, facets: Facets): number {
    let total = 0;
    for (const { values, count } of this.cells.values()) if (this.passes(values, list, facets, null)) total += count;
    return total;
  }

  /** How many of a list there are of each value of a facet: all that pass the other facets. */
  counts(facet: FacetName, list: List, facets: Facets): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { values, count } of this.cells.values())
      if (this.passes(values, list, facets, facet)) counts[values[facet]] = (counts[values[facet]] ?? 0) + count;
    return counts;
  }

  private passes(values: Record<FacetName, string>, list: List, facets: Facets, except: FacetName | null): boolean {
    return (
      LISTS[list].states.includes(values.state as State) &&
      FACET_NAMES.every((name) => name === except || passesOne(facets[name], values[name]))
    );
  }
}
