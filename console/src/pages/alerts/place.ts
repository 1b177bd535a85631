/** What is looked at, in the address of the page, so that it can be shared and kept as a bookmark. */
import { DEFAULT_SORT, isColumn, type Sort } from "./columns";
import { FACET_NAMES, FACETS, type Facets, LIST_NAMES, type List, NO_FACETS } from "./facets";
import type { Choice } from "./filter";
import { TAB_NAMES, type Tab } from "./tabs";

export interface Place {
  choice: Choice;
  sort: Sort;
  list: List;
  /** The alert whose details are open. */
  alert: string | null;
  /** Which part of them. */
  tab: Tab;
}

const PATH = "/alerts";

/** Whether an address is one of this page. */
export function isPlace(address: string): boolean {
  return /^\/alerts(?:[/?]|$)/.test(address);
}

/** Read an address; what is not understood is left out. */
export function readPlace(address: string): Place {
  const url = new URL(address, "http://console");
  const parameters = url.searchParams;
  const [column = "", way] = (parameters.get("sort") ?? "").split(/,(?=[^,]*$)/);
  const alert = /^\/alerts\/([0-9a-f]{32})\/?$/.exec(url.pathname)?.[1] ?? null;
  const list = parameters.get("list");
  const tab = parameters.get("tab");
  return {
    choice: { query: parameters.get("q") ?? "", facets: readFacets(parameters) },
    sort: isColumn(column) ? { column, descending: way === "desc" } : DEFAULT_SORT,
    list: LIST_NAMES.find((name) => name === list) ?? LIST_NAMES[0],
    alert,
    tab: TAB_NAMES.find((name) => alert !== null && name === tab) ?? TAB_NAMES[0],
  };
}

/** A value that is excluded begins with an exclamation mark. */
function readFacets(parameters: URLSearchParams): Facets {
  const facets = { ...NO_FACETS };
  for (const name of FACET_NAMES) {
    const known = FACETS[name].values;
    const isKnown = (value: string) => value !== "" && (known.length === 0 || known.includes(value));
    const values = parameters.getAll(name);
    const only = values.filter((value) => !value.startsWith("!") && isKnown(value));
    const not = values.flatMap((value) => (value.startsWith("!") && isKnown(value.slice(1)) ? [value.slice(1)] : []));
    facets[name] = { only, not };
  }
  return facets;
}

/** Write it; the usual is left out, so that the address stays short. */
export function writePlace(place: Place): string {
  const parameters = new URLSearchParams();
  const { choice, sort } = place;
  if (place.list !== LIST_NAMES[0]) parameters.set("list", place.list);
  if (choice.query.trim()) parameters.set("q", choice.query.trim());
  for (const name of FACET_NAMES) {
    for (const value of choice.facets[name].only) parameters.append(name, value);
    for (const value of choice.facets[name].not) parameters.append(name, `!${value}`);
  }
  if (sort.column !== DEFAULT_SORT.column || sort.descending !== DEFAULT_SORT.descending)
    parameters.set("sort", `${sort.column},${sort.descending ? "desc" : "asc"}`);
  if (place.alert && place.tab !== TAB_NAMES[0]) parameters.set("tab", place.tab);
  const path = place.alert ? `${PATH}/${place.alert}` : PATH;
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}
